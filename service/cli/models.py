"""The commands `modelwright models`; those with a subject of their own are in other files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.aliases import promote, rollback
from service.cli.cards import card, compare, lineage
from service.cli.drift import drift
from service.cli.exports import export
from service.cli.feedback import feedback, live_metrics
from service.cli.metrics_table import metrics_table, spread_of_folds, worst_group
from service.cli.options import URL, AsJson, Model, Name, Url, Yes, confirm, connect
from service.cli.printing import cell, done, facts, line, show, table
from service.cli.signatures import bom, signature
from service.cli.transfer import export_bundle, import_bundle
from service.model_reference import ModelReference

models = typer.Typer(help="The models of a service and their versions.", no_args_is_help=True)
for each in (promote, rollback, card, compare, lineage, drift, export, export_bundle, import_bundle, signature, bom):
    models.command()(each)
models.command()(feedback)
models.command("live-metrics")(live_metrics)

MOST_INPUTS = 5  # whose importance is shown
Tensor = Annotated[str | None, typer.Option(metavar="TENSOR", help="Only the tensor of this name.")]
Rows = Annotated[str | None, typer.Option(metavar="FIRST:END", help="Only these rows of the tensor, without END.")]
Statistics = Annotated[bool, typer.Option(help="Also the mean, std, min and max of each parameter.")]


@models.command("list")
def list_models(as_json: AsJson = False, url: Url = URL) -> None:
    """List the models."""
    with connect(url) as client:
        table(client.models(), ["name", "latest", "aliases"], as_json)


@models.command("show")
def show_model(model: Model, as_json: AsJson = False, url: Url = URL) -> None:
    """Show a model, or with @VERSION a version; with --json the whole manifest of the version."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        about = client.model(name) if version is None else client.manifest(name, version)
    if as_json:
        show(about)
    elif version is None:
        facts(about, ["name", "latest", "versions", "aliases", "created_at", "error"], as_json)
        metrics_table(about["metrics"] or {})
    else:
        _version(name, about)


def _version(name: str, about: dict[str, Any]) -> None:
    line(f"{name}@{about['version']}")
    facts(about, ["created_at", "digest", "parameters", "job", "data"], as_json=False)
    for side in ("inputs", "outputs"):
        line(f"{side}: " + ", ".join(f"{each['name']} ({each['type']})" for each in about["signature"][side]))
    metrics_table(about["metrics"])
    spread_of_folds(about.get("folds"))
    worst_group(about.get("slices"))
    if (importance := about.get("importance")) is not None:
        shown = (
            f"{each['input']} {each['mean']:.3g} ± {each['std']:.1g}" for each in importance["inputs"][:MOST_INPUTS]
        )
        line(f"most important inputs (rise of {importance['measure']}): " + ", ".join(shown))
    if (decision := about.get("threshold")) is not None:
        line(f"answers {cell(decision['positive'])} where its probability is above {decision['threshold']:.4g}")
    for warning in about.get("warnings", []):
        line(f"Warning: {warning}")


@models.command()
def versions(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """List the versions of a model."""
    with connect(url) as client:
        table(client.versions(name), ["version", "created_at", "digest", "aliases"], as_json)


@models.command("delete")
def delete_model(model: Model, yes: Yes = False, as_json: AsJson = False, url: Url = URL) -> None:
    """Delete a model with all its versions, or one version."""
    name, version = ModelReference.parse(model)
    confirm(model, yes)
    with connect(url) as client:
        if version is None:
            client.delete_model(name)
        else:
            client.delete_version(name, version)
    done(f"Deleted {model}.", {"deleted": model}, as_json)


@models.command()
def parameters(model: Model, statistics: Statistics = True, as_json: AsJson = False, url: Url = URL) -> None:
    """List the parameters of a version."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        rows = client.parameters(name, version or "latest", statistics=statistics)["parameters"]
    columns = ["name", "shape", "dtype", "count"] + (["mean", "std", "min", "max"] if statistics else [])
    table(rows, columns, as_json)


@models.command()
def state_dict(
    model: Model,
    tensor: Tensor = None,
    rows: Rows = None,
    out: Annotated[Path | None, typer.Option(help="Save all as this safetensors file instead of printing.")] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Print the tensors of a version as JSON, or save them as safetensors."""
    name, version = ModelReference.parse(model)
    if rows is not None and tensor is None:
        raise typer.BadParameter("rows are those of one tensor: give --tensor", param_hint="--rows")
    if out is not None and tensor is not None:
        raise typer.BadParameter("a file holds all tensors: leave out --tensor", param_hint="--out")
    with connect(url) as client:
        if out is None:
            show(client.state_dict(name, version or "latest", tensor, rows_of(rows)))
        else:
            saved = str(client.state_dict_file(name, version or "latest", out))
            done(saved, {"saved": saved}, as_json)


@models.command()
def plot(
    model: Model,
    plot: Annotated[str, typer.Argument(metavar="PLOT", help="data, predictions, learning_curve, parameters, …")],
    out: Annotated[Path | None, typer.Option(help="The file: .png, .svg or .json; NAME-PLOT.png if not given.")] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Save a plot of a version."""
    name, version = ModelReference.parse(model)
    out = out or Path(f"{name}-{plot}.png")
    image_format = out.suffix.removeprefix(".")
    if image_format not in ("png", "svg", "json"):
        raise typer.BadParameter("the file must end in .png, .svg or .json", param_hint="--out")
    with connect(url) as client:
        out.write_bytes(client.plot(name, version or "latest", plot, image_format))
    done(str(out), {"saved": str(out)}, as_json)


@models.command()
def load(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """Load the version in use into memory, so that its first prediction need not wait."""
    _repository(name, "load", url)
    done(f"Loaded {name}.", {"loaded": name}, as_json)


@models.command()
def unload(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """Remove a model from memory; its next prediction loads it again."""
    _repository(name, "unload", url)
    done(f"Unloaded {name}.", {"unloaded": name}, as_json)


@models.command()
def stats(as_json: AsJson = False, url: Url = URL) -> None:
    """List the versions that have predicted since the service was started, with their counts."""
    from modelwright.steps import Call
    from service.cli.calls import answer

    with connect(url) as client:
        found = answer(client, Call("GET", "/v2/models/stats")).json()["model_stats"]
    rows = (
        {
            **each,
            "requests": each["inference_stats"]["success"]["count"],
            "failed": each["inference_stats"]["fail"]["count"],
        }
        for each in found
    )
    table(found if as_json else rows, ["name", "version", "requests", "failed", "inference_count"], as_json)


def rows_of(text: str | None) -> tuple[int, int] | None:
    """`0:10` as two numbers."""
    if text is None:
        return None
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal()):
        raise typer.BadParameter("rows are FIRST:END, such as 0:10", param_hint="--rows")
    return int(first), int(end)


def _repository(name: str, verb: str, url: str) -> None:
    from urllib.parse import quote

    from modelwright.steps import Call
    from service.cli.calls import answer

    with connect(url) as client:
        client.model(name)  # an unknown name gets our message, not that of the other protocol
        answer(client, Call("POST", f"/v2/repository/models/{quote(name, safe='')}/{verb}"))
