"""The commands `modelwright serve` and `modelwright demo`."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from service.cli.options import Home
from service.cli.printing import console

if TYPE_CHECKING:
    from service.settings import Settings


class LogFormat(StrEnum):
    """The forms of log lines; without one of them it depends on whether the log goes to a terminal."""

    JSON = "json"
    CONSOLE = "console"


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
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="Log lines for programs or for people; if not given, for people on a terminal only."),
    ] = None,
) -> None:
    """Start the service."""
    from service import opening
    from service.settings import Settings
    from service.startup import start_up
    from service.telemetry import logs

    given = {"host": host, "port": port, "home": home, "workers": workers, "first_key": first_key, "insecure": insecure}
    given["log_format"] = None if log_format is None else log_format.value
    settings = Settings.read(**{name: value for name, value in given.items() if value is not None})
    settings = opening.accept_loss(settings) if accept_loss else settings
    logs.configure(settings.log_level, settings.log_format)
    # Mistakes are reported before anything large is imported; a first key is created once for all processes.
    startup = start_up(settings)
    greeting = partial(greet, settings, startup.keyring.on) if logs.for_people(settings.log_format) else None
    if settings.workers > 1:
        from service.processes.supervisor import supervise

        supervise(settings, greeting)
    else:
        from service.interpreter import quick_imports

        with quick_imports():
            from service.app import serve
        serve(startup, running=greeting)


def greet(settings: "Settings", keys_on: bool, address: str) -> None:
    """Tells people where the page is, and how to make a key."""
    from service import __version__

    local = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    stderr, key = Console(stderr=True), f"modelwright keys create NAME --scope admin --home {settings.home}"
    stderr.print(
        f"\nModelwright {__version__}. The page: {local}/  (Ctrl-C stops the service)", highlight=False, soft_wrap=True
    )
    if keys_on:
        stderr.print(f"It asks for a key. Make one: {escape(key)}\n", highlight=False, soft_wrap=True)
    else:
        stderr.print(
            f"It asks for no key. From the first one on it does: {escape(key)}\n", highlight=False, soft_wrap=True
        )


def demo(
    keep: Annotated[bool, typer.Option(help="Leave the service running.")] = False,
    home: Annotated[Path | None, typer.Option(help="Folder for the service's state; else a temporary one.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for plots and bundles.")] = Path("demo-output"),
) -> None:
    """Show the whole chain: train, open, predict, restart, share."""
    from service.cli.demo import run

    run(console, output=output, home=home, keep=keep)
