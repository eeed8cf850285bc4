"""The commands `modelwright store verify` and `upgrade`. They use the store directly."""

from typing import TYPE_CHECKING

import typer

from service.cli.options import AsJson, Home, settings_of
from service.cli.printing import done, line, show

if TYPE_CHECKING:
    from model_store import Store
    from model_store.verification import Report
    from service.settings import Settings

store = typer.Typer(help="The model store on this machine.", no_args_is_help=True)


@store.command()
def verify(as_json: AsJson = False, home: Home = None) -> None:
    """Check everything in the store against its digests; list what is damaged, missing, or not part of the store."""
    report = _open_store(settings_of(home)).examine()
    if as_json:
        damages = [str(damage) for damage in report.damages]
        show({"damages": damages, "leftovers": report.leftovers, "unsealed": report.unsealed})
    else:
        _print(report)
    if report.damages:
        raise typer.Exit(1)


def _print(report: "Report") -> None:
    for damage in report.damages:
        line(str(damage))
    if report.leftovers:
        line(
            f"Files of no version: {report.leftovers}, left by deletions and writes that broke off. The service removes them."
        )
    if report.unsealed:
        line(f"Not sealed: {report.unsealed} records and alias entries. `modelwright store upgrade` seals them.")
    if not report.damages:
        line("No damage found.")


@store.command()
def upgrade(as_json: AsJson = False, home: Home = None) -> None:
    """Seal what earlier versions have written, so that damage to it is found. No service may run on this home."""
    from service.jobs.ownership import Ownership

    settings = settings_of(home)
    store = _open_store(settings)
    ownership = Ownership(settings.home / "owners", all_here=True)
    try:
        if not ownership.alone():
            raise FileExistsError(f"A service runs on {settings.home}: stop it first.")
        sealed = store.upgrade()
    finally:
        ownership.close()
    done(f"Sealed: {sealed} records and alias entries.", {"sealed": sealed}, as_json)


def _open_store(settings: "Settings") -> "Store":
    """The store of the settings, which must be there."""
    from model_store.backends.schemes import local_folder
    from service import opening

    folder = local_folder(opening.store_url(settings))
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"There is no model store in {folder}.")
    return opening.open_store(settings)
