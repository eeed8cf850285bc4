"""A version from one service to another: `modelwright push` and `pull`, and bundles as files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from service.cli.options import URL, AsJson, Model, Name, Url, connect
from service.cli.printing import done
from service.model_reference import ModelReference

Other = Annotated[str, typer.Argument(metavar="URL", help="Address of the other service.")]
AsName = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Its name there; else the same.")]
Alias = Annotated[str | None, typer.Option(help="An alias that then points at the version.")]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="MODELWRIGHT_OTHER_API_KEY",
        help="Key for the other service. Other users of this machine can see an option; the variable is safer.",
    ),
]
VERBS = {"download": "receiving", "upload": "sending"}


def push(
    model: Model,
    other: Other,
    as_name: AsName = None,
    key: Key = None,
    alias: Alias = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Copy a version to another service."""
    _transfer("push", model, other, key, as_name, alias, as_json, url)


def pull(
    other: Other,
    model: Model,
    as_name: AsName = None,
    key: Key = None,
    alias: Alias = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Copy a version from another service."""
    _transfer("pull", model, other, key, as_name, alias, as_json, url)


def export_bundle(model: Model, file: Path, as_json: AsJson = False, url: Url = URL) -> None:
    """Save a version as one file to share."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        saved = str(client.download_bundle(name, version or "latest", file))
    done(saved, {"saved": saved}, as_json)


def import_bundle(name: Name, file: Path, as_json: AsJson = False, url: Url = URL) -> None:
    """Add a shared version to a model."""
    with connect(url) as client:
        version = client.upload_bundle(name, file)
    done(f"{version['name']}@{version['version']}", version, as_json)


def _transfer(
    verb: str, model: str, other: str, key: str | None, as_name: str | None, alias: str | None, as_json: bool, url: str
) -> None:
    from modelwright import Client

    name, version = ModelReference.parse(model)
    # The key of this service is not one of the other: it is never sent there.
    with connect(url) as here, Client(other, api_key=key) as there, _progress() as progress:
        copy = here.push if verb == "push" else here.pull
        copied = copy(there, name, version or "latest", as_name=as_name, alias=alias, progress=progress)
    known = "" if copied["new"] else "  (was there already; nothing was sent)"
    done(f"{copied['name']}@{copied['version']}{known}", copied, as_json)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Shows how much has arrived: a moving bar on a terminal, else a line for each direction."""
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, size: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(VERBS[stage], total=size)
                if not terminal.is_terminal:
                    terminal.print(f"{VERBS[stage]} {size} bytes", highlight=False)
            bars.update(tasks[stage], completed=done)

        yield progress
