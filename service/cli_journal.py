"""The command `modelwright journal verify`: it works on the journal itself, with no service running or with several."""

from typing import TYPE_CHECKING

import typer

from service.cli_keys import Home
from service.cli_options import AsJson
from service.printing import cell, console, printable, table

if TYPE_CHECKING:
    from service.jobs.verification import Damage

journal = typer.Typer(help="The journal of jobs on this machine.", no_args_is_help=True)


@journal.callback()
def group() -> None:
    """Keeps `verify` a word of its own, though it is the only one."""


@journal.command()
def verify(as_json: AsJson = False, home: Home = None) -> None:
    """Check the journal: SQLite's file, and every row against its seal; name each that is damaged."""
    from service import opening
    from service.jobs.database import connect_database
    from service.jobs.verification import verify as examine
    from service.settings import Settings

    settings = Settings.read() if home is None else Settings.read(home=home)
    engine = connect_database(opening.journal_url(settings), known=True)
    try:
        report = examine(engine)
    finally:
        engine.dispose()
    if as_json:
        rows = ({"table": each.table, "row": each.row, "reason": each.reason} for each in report.damages)
        table(rows, ["table", "row", "reason"], as_json=True)
    else:
        for each in report.damages:
            console.print(printable(told(each)), markup=False, highlight=False, soft_wrap=True)
        if report.unsealed:
            console.print(f"Not sealed: {report.unsealed} rows of before there were seals.", highlight=False)
    if report.damages:
        raise typer.Exit(1)
    if not as_json:
        console.print(f"All is whole: {report.sealed} sealed rows.", highlight=False)


def told(damage: "Damage") -> str:
    """A damage on one line."""
    return " ".join(filter(None, [damage.table, cell(damage.row), damage.reason]))
