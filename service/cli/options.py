"""Options that several commands share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.failures import next_step

if TYPE_CHECKING:
    from modelwright import Client
    from service.settings import Settings

Url = Annotated[str, typer.Option(envvar="MODELWRIGHT_URL", help="Address of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Model = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Version: a number, an alias or latest.")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a training job.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the service's state [env: MODELWRIGHT_HOME].")]
URL = "http://127.0.0.1:8000"


@contextmanager
def connect(url: str) -> Iterator["Client"]:
    """A client for the service at this address. An error that leaves the block has a note of what to do next."""
    from modelwright import ApiError, Client, ModelwrightError, Unreachable

    key = os.environ.get("MODELWRIGHT_API_KEY")
    with Client(url, api_key=key) as client:
        try:
            yield client
        except ModelwrightError as error:
            note = next_step(error, client, has_key=bool(key))
            if isinstance(error, ApiError | Unreachable):
                error.__notes__ = [] if note is None else [note]  # in place of the client's own, which speak of Python
            raise


def settings_of(home: Path | None) -> "Settings":
    """The settings of the environment, with this home if one is given."""
    from service.settings import Settings

    return Settings.read() if home is None else Settings.read(home=home)


def confirm(what: str, yes: bool) -> None:
    """Asks for confirmation of a deletion."""
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
