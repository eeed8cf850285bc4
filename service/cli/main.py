"""The command line. Each command imports what it needs when it runs, so that `modelwright --help` is fast."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from service.cli.aliases import aliases
from service.cli.backup import backup, restore
from service.cli.datasets import datasets
from service.cli.explain import explain
from service.cli.failures import EXIT_STATUSES, CommandFailed, exit_status
from service.cli.jobs import jobs, logs
from service.cli.journal import journal
from service.cli.keys import keys
from service.cli.models import models
from service.cli.overview import about, audit, health, metrics, open_page
from service.cli.predict import predict
from service.cli.retention import retention
from service.cli.serve import demo, serve
from service.cli.signatures import sign, verify
from service.cli.store import store
from service.cli.sweeps import sweeps
from service.cli.train import train
from service.cli.transfer import pull, push

app = typer.Typer(
    help="POST a config, get a model.",
    epilog=EXIT_STATUSES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
PANELS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "The service": {
        "serve": serve,
        "demo": demo,
        "open": open_page,
        "about": about,
        "health": health,
        "metrics": metrics,
        "audit": audit,
        "keys": keys,
    },
    "Train, predict, look": {
        "train": train,
        "predict": predict,
        "explain": explain,
        "logs": logs,
        "jobs": jobs,
        "sweeps": sweeps,
        "datasets": datasets,
        "models": models,
        "aliases": aliases,
        "retention": retention,
        "push": push,
        "pull": pull,
    },
    "Files and folders of this machine": {
        "backup": backup,
        "restore": restore,
        "sign": sign,
        "verify": verify,
        "store": store,
        "journal": journal,
    },
}
for panel, commands in PANELS.items():
    for name, command in commands.items():
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from service import __version__

        print(f"modelwright {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """POST a config, get a model."""


def main() -> None:
    """Runs the command line; known errors are printed as one message, without a traceback."""
    try:
        app(prog_name="modelwright")
    except BrokenPipeError:
        sys.stdout = None  # the reader has closed the pipe; nothing is left to flush
        sys.exit(0)
    except Exception as error:
        from model_store.errors import StoreError
        from modelwright import ModelwrightError
        from service.access.errors import AccessError
        from service.home import HomeError
        from service.jobs.errors import JobsError
        from service.settings import InvalidSettings
        from service.workflow.errors import InvalidPlugin

        known = (
            CommandFailed
            | ModelwrightError
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
        stderr = Console(stderr=True)
        stderr.print(f"[red]Error:[/red] {escape(message_of(error))}", highlight=False, soft_wrap=True)
        for note in getattr(error, "__notes__", ()):
            stderr.print(escape(note), highlight=False, soft_wrap=True)
        sys.exit(exit_status(error))


def message_of(error: Exception) -> str:
    """The message of an error, without error numbers of the operating system."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error)
