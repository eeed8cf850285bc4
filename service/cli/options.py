"""Options that several commands share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modelwright import Client
    from service.settings import Settings

Url = Annotated[str, typer.Option(envvar="MODELWRIGHT_URL", help="Address of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Model = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Version: a number, an alias or latest.")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
URL = "http://127.0.0.1:8000"


def connect(url: str) -> "Client":
    """A client for the service at this address."""
    from modelwright import Client

    return Client(url, api_key=os.environ.get("MODELWRIGHT_API_KEY"))


def settings_of(home: Path | None) -> "Settings":
    """The settings of the environment, with this home if one is given."""
    from service.settings import Settings

    return Settings.read() if home is None else Settings.read(home=home)


def confirm(what: str, yes: bool) -> None:
    """Asks for confirmation of a deletion."""
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
