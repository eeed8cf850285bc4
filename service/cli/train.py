"""The command `modelwright train`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.cli.metrics_table import metrics_table, spread_of_folds, worst_group
from service.cli.options import URL, AsJson, Url, connect
from service.cli.printing import cell, console, done, line, show
from service.cli.training_source import apply, json_object, name_from, parse_setting, read_spec

if TYPE_CHECKING:
    from modelwright import Client

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="TABLE|SPEC.json|-",
        help="A table in any form that the service reads, or a training spec: a JSON object. - reads a spec from stdin.",
    ),
]
Target = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="The column to predict; may be repeated for several.")
]
ModelName = Annotated[str | None, typer.Option("--name", help="Name of the model; else that of the data set.")]
Dataset = Annotated[
    str | None,
    typer.Option(help="Name of the data set, else made of the file's name; without a file, one that the service has."),
]
SpecFile = Annotated[Path | None, typer.Option("--spec", metavar="FILE", help="A spec for all but data and name.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Sets a value of the spec, such as training.epochs=50 or model.hidden.0=32; the value is JSON, else a text. "
        "May be repeated.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Train nothing: upload the table, check the spec, print it with all defaults.")
]
Detach = Annotated[
    bool, typer.Option("--detach/--wait", "-d", "--no-wait", help="Print the job's id and do not wait for its end.")
]
MOST_SHOWN_INPUTS = 6


def train(
    source: Source = None,
    target: Target = None,
    name: ModelName = None,
    dataset: Dataset = None,
    spec: SpecFile = None,
    settings: Set = None,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Train a model from a table, `modelwright train houses.csv --target price`, or from a spec."""
    changes = [parse_setting(setting) for setting in settings or []]
    output = Console(stderr=True) if as_json or detach else console
    found = None if source is None else read_spec(source)
    with connect(url) as client:
        if found is None:
            base = (
                {} if spec is None else json_object(spec.read_text(encoding="utf-8-sig", errors="replace"), str(spec))
            )
            found = _spec_of_table(client, source, target or [], name, dataset, base, output)
        else:
            _check_spec_alone(source or "", target, dataset, spec)
            found = found if name is None else {**found, "model_name": name}
        wanted = apply(found, changes)
        if dry_run:
            _show_checked(client.validate(wanted), as_json)
            return
        job = client.train(wanted)
        if detach:
            if not as_json:
                line(f"Follow it: modelwright logs {job['id']} -f", to=output)
            done(job["id"], job, as_json)
            return
        _attend(client, job, output, as_json)


def _check_spec_alone(source: str, target: list[str] | None, dataset: str | None, spec: Path | None) -> None:
    """Refuses options for tables beside a spec."""
    given = {"--target": target, "--dataset": dataset, "--spec": spec}
    if options := [option for option, value in given.items() if value]:
        raise typer.BadParameter(
            f"{source} is a training spec, as it is a JSON object; a spec takes no {' and no '.join(options)}. "
            "Use --set data.target=… to change the spec",
            param_hint=options[0],
        )


def _spec_of_table(
    client: "Client",
    source: str | None,
    targets: list[str],
    name: str | None,
    dataset: str | None,
    base: dict[str, Any],
    output: Console,
) -> dict[str, Any]:
    """A spec for a table, which is uploaded, or for a data set that the service has."""
    if source is not None:
        path = Path(source)
        # A .json may be a list or JSON Lines, which the service finds out if no form is claimed.
        claimed = "application/octet-stream" if path.suffix.lower() == ".json" else None
        about = client.upload_dataset(dataset or name_from(path), path, claimed)
    elif dataset is not None:
        about = client.dataset(dataset)
    elif base:
        return base if name is None else {**base, "model_name": name}
    else:
        raise typer.BadParameter("give a table, a spec, or with --dataset a data set that the service has")
    size = f"{about['rows']} rows, {len(about['columns'])} columns"
    line(f"Data set {about['name']}@{about['version']}: {size}", to=output)
    for note in about["notes"]:
        line(f"Note: {note}", to=output)
    data = {**base.get("data", {}), "kind": "dataset", "dataset": about["name"], "version": about["version"]}
    if targets:
        data["target"] = targets[0] if len(targets) == 1 else targets
    if "target" not in data:
        columns = ", ".join(each["name"] for each in about["columns"])
        raise typer.BadParameter(f"which column shall be predicted? One or more of {columns}", param_hint="--target")
    return {**base, "model_name": name or base.get("model_name") or about["name"], "data": data}


def _show_checked(checked: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(checked)
        return
    show(checked["spec"])
    for warning in checked["warnings"]:
        line(f"Warning: {warning}")
    line(f"{checked['parameters']} parameters; rows: {cell(checked['rows'])}. Nothing was trained.")


def _attend(client: "Client", job: dict[str, Any], output: Console, as_json: bool) -> None:
    """Shows the training until it ends, then how good the model is and what can be done with it."""
    from service.cli.progress import follow, job_goes_on

    with job_goes_on(job["id"]):
        job = follow(client, job, output)
    if as_json:
        show(job)
        return
    model = f"{job['result']['model_name']}@{job['result']['version']}"
    manifest = client.manifest(job["result"]["model_name"], job["result"]["version"])
    console.print()
    metrics_table(manifest["metrics"])
    spread_of_folds(manifest.get("folds"))
    worst_group(manifest.get("slices"))
    for warning in manifest.get("warnings", []):
        line(f"Warning: {warning}")
    console.print(f"\n{model}\n", highlight=False)
    for command, meaning in _next(job["result"], manifest):
        line(f"  {command:<44}  # {meaning}")


def _next(result: dict[str, Any], manifest: dict[str, Any]) -> list[tuple[str, str]]:
    name, version = result["model_name"], result["version"]
    inputs = manifest["signature"]["inputs"]
    features = " ".join(shlex.quote(f"{each['name']}={_example(each, manifest)}") for each in inputs)
    how = features if len(inputs) <= MOST_SHOWN_INPUTS else "--file rows.csv --out predictions.csv"
    return [
        (f"modelwright predict {name}@{version} {how}", "predict"),
        (f"modelwright models show {name}@{version}", "look at it"),
        (f"modelwright models promote {name} {version}", "predictions without a version use it"),
        (f"modelwright models export {name}@{version} onnx", "take it elsewhere"),
        ("modelwright open", "see it in the browser"),
    ]


def _example(column: dict[str, Any], manifest: dict[str, Any]) -> str:
    """A value for an input: the middle of its range, or its first category; empty for a missing value where neither is known."""
    if column["name"] in (manifest.get("ranges") or {}):
        low, high = manifest["ranges"][column["name"]]
        if isinstance(low, int | float) and isinstance(high, int | float):
            return f"{(low + high) / 2:.3g}"
        return str(low)
    categories = column.get("categories") or (["true"] if column["type"] == "boolean" else [""])
    return str(categories[0])
