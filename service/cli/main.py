"""The command line. Each command imports what it needs when it runs, so that `modelwright --help` is fast."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from service.cli.backup import backup, restore
from service.cli.cards import card, compare
from service.cli.datasets import datasets
from service.cli.exports import export
from service.cli.journal import journal
from service.cli.keys import Home, keys
from service.cli.options import URL, AsJson, Model, Name, Url, Yes, confirm, connect
from service.cli.printing import console, prediction_text, show, table
from service.cli.signatures import add_commands
from service.cli.store import store
from service.cli.transfer import export_bundle, import_bundle, pull, push
from service.model_reference import ModelReference

app = typer.Typer(help="POST a config, get a model.", no_args_is_help=True, pretty_exceptions_enable=False)
models = typer.Typer(help="The models of a service and their versions.", no_args_is_help=True)
jobs = typer.Typer(help="Training jobs.", no_args_is_help=True)
groups = {"models": models, "jobs": jobs, "datasets": datasets, "store": store, "journal": journal, "keys": keys}
for name, group in groups.items():
    app.add_typer(group, name=name)
for command in (backup, restore, push, pull):
    app.command()(command)
add_commands(app, models)
models.command()(export)
models.command()(export_bundle)
models.command()(import_bundle)
models.command()(card)
models.command()(compare)

JobId = Annotated[str, typer.Argument(metavar="JOB")]
Alias = Annotated[str, typer.Option(help="The alias.")]


def main() -> None:
    """Runs the command line; known errors are printed as one message, without a traceback."""
    try:
        app()
    except Exception as error:
        from model_store.errors import StoreError
        from modelwright import ModelwrightError
        from service.access.errors import AccessError
        from service.home import HomeError
        from service.jobs.errors import JobsError
        from service.settings import InvalidSettings
        from service.workflow.errors import InvalidPlugin

        known = (
            ModelwrightError
            | JobsError
            | AccessError
            | HomeError
            | StoreError
            | InvalidSettings
            | InvalidPlugin
            | OSError
        )
        if not isinstance(error, known):
            raise
        Console(stderr=True).print(f"[red]Error:[/red] {escape(message_of(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def message_of(error: Exception) -> str:
    """The message of an error, without error numbers of the operating system."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error)


# The service itself


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    home: Home = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer.")] = None,
    first_key: Annotated[
        bool | None, typer.Option("--first-key", help="If there are no keys, create one and print it.")
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure", help="Allow serving without keys on any address, which disables authentication."),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Start although something is missing from the home; the loss is recorded."),
    ] = False,
) -> None:
    """Start the service."""
    from service import opening
    from service.settings import Settings
    from service.startup import start_up
    from service.telemetry import logs

    given = {"host": host, "port": port, "home": home, "workers": workers, "first_key": first_key, "insecure": insecure}
    settings = Settings.read(**{name: value for name, value in given.items() if value is not None})
    settings = opening.accept_loss(settings) if accept_loss else settings
    logs.configure(settings.log_level)
    # Mistakes are reported before anything large is imported; a first key is created once for all processes.
    startup = start_up(settings)
    if settings.workers > 1:
        from service.processes.supervisor import supervise

        supervise(settings)
    else:
        from service.interpreter import quick_imports

        with quick_imports():
            from service.app import serve
        serve(startup)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Leave the service running.")] = False,
    home: Annotated[Path | None, typer.Option(help="Folder for the service's state; else a temporary one.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for plots and bundles.")] = Path("demo-output"),
) -> None:
    """Show the whole chain: train, open, predict, restart, share."""
    from service.cli.demo import run

    run(console, output=output, home=home, keep=keep)


# Training and predictions


@app.command()
def train(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC.json|-", help="File with a training spec; - reads it from stdin.")
    ],
    wait: Annotated[bool, typer.Option(help="Show the training until it ends.")] = True,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Train a model from a spec."""
    from service.cli.progress import follow

    with connect(url) as client:
        job: dict[str, Any] = client.train(read_json(spec))
        if wait:
            job = follow(client, job, Console(stderr=True) if as_json else console)
        if as_json:
            show(job)
        elif job["result"]:
            console.print(f"{job['result']['model_name']}@{job['result']['version']}", highlight=False)
        else:
            console.print(job["id"], highlight=False)


@app.command()
def predict(
    model: Model,
    features: Annotated[list[str] | None, typer.Argument(metavar="[FEATURE=VALUE]...", help="One row.")] = None,
    instances: Annotated[str | None, typer.Option(help="Rows as JSON, or - to read them from stdin.")] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Predict for one row, or for many."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        if instances:
            answer = client.predict(name, read_rows(instances), version=version)
        else:
            answer = client.predict(name, query=pairs(features or []), version=version)
    if as_json:
        show(answer)
        return
    for prediction in answer["predictions"]:
        console.print(prediction_text(prediction), markup=False, soft_wrap=True)


# Models


@models.command("list")
def list_models(as_json: AsJson = False, url: Url = URL) -> None:
    """List the models."""
    with connect(url) as client:
        table(client.models(), ["name", "latest", "aliases"], as_json)


@models.command("show")
def show_model(model: Model, url: Url = URL) -> None:
    """Show a model, or with @VERSION the manifest of a version."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        show(client.model(name) if version is None else client.manifest(name, version))


@models.command()
def versions(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """List the versions of a model."""
    with connect(url) as client:
        table(client.versions(name), ["version", "created_at", "digest", "aliases"], as_json)


@models.command("delete")
def delete_model(model: Model, yes: Yes = False, url: Url = URL) -> None:
    """Delete a model with all its versions, or one version."""
    name, version = ModelReference.parse(model)
    confirm(model, yes)
    with connect(url) as client:
        if version is None:
            client.delete_model(name)
        else:
            client.delete_version(name, version)
    console.print(f"Deleted {model}.", highlight=False)


@models.command()
def promote(name: Name, version: int, alias: Alias = "production", url: Url = URL) -> None:
    """Point an alias at a version."""
    with connect(url) as client:
        show(client.set_alias(name, alias, version))


@models.command()
def rollback(name: Name, alias: Alias = "production", url: Url = URL) -> None:
    """Point an alias back at the version before."""
    with connect(url) as client:
        show(client.rollback_alias(name, alias))


@models.command()
def parameters(model: Model, as_json: AsJson = False, url: Url = URL) -> None:
    """List the parameters of a version."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        rows = client.parameters(name, version or "latest")["parameters"]
    table(rows, ["name", "shape", "dtype", "count", "mean", "std", "min", "max"], as_json)


@models.command()
def state_dict(
    model: Model,
    out: Annotated[Path | None, typer.Option(help="Save as this safetensors file instead of printing.")] = None,
    url: Url = URL,
) -> None:
    """Print the tensors of a version, or save them as safetensors."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        if out is None:
            show(client.state_dict(name, version or "latest"))
        else:
            console.print(str(client.state_dict_file(name, version or "latest", out)), markup=False)


# Jobs


@jobs.command("list")
def list_jobs(
    status: str | None = None, model_name: str | None = None, as_json: AsJson = False, url: Url = URL
) -> None:
    """List the jobs, newest first."""
    with connect(url) as client:
        table(client.jobs(status, model_name), ["id", "model_name", "status", "created_at", "finished_at"], as_json)


@jobs.command("show")
def show_job(job: JobId, url: Url = URL) -> None:
    """Show a job."""
    with connect(url) as client:
        show(client.job(job))


@jobs.command()
def watch(job: JobId, url: Url = URL) -> None:
    """Show a job's training until it ends."""
    from service.cli.progress import follow

    with connect(url) as client:
        result = follow(client, client.job(job), console)["result"]
    console.print(f"{result['model_name']}@{result['version']}", highlight=False)


@jobs.command()
def cancel(job: JobId, url: Url = URL) -> None:
    """Cancel a job."""
    with connect(url) as client:
        show(client.cancel(job))


@jobs.command()
def pause(job: JobId, url: Url = URL) -> None:
    """Pause a job: it saves a checkpoint and frees its slot."""
    with connect(url) as client:
        show(client.pause(job))


@jobs.command()
def resume(job: JobId, url: Url = URL) -> None:
    """Resume a paused job from its checkpoint."""
    with connect(url) as client:
        show(client.resume(job))


# What the commands share


def pairs(features: list[str]) -> dict[str, str]:
    """`x=0.5 y=1` as names and values."""
    if not features or not all("=" in feature for feature in features):
        raise typer.BadParameter("give FEATURE=VALUE for each feature, or --instances")
    return dict(feature.split("=", 1) for feature in features)


def read_rows(text: str) -> list[Any]:
    """The JSON list in a text, or in stdin when it is `-`."""
    try:
        rows = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise typer.BadParameter(f"the instances are not JSON: {error}") from error
    if not isinstance(rows, list):
        raise typer.BadParameter('the instances are no JSON list, like [[0.5], [0.6]] or [{"x": 0.5}]')
    return rows


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in a file, or in stdin when the path is `-`."""
    try:
        value = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{path} is not a JSON object")
    return value
