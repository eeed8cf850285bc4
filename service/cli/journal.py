"""The command `modelwright journal verify`. It uses the journal directly; services may run on it."""

import typer

from service.cli.options import AsJson, Home, settings_of
from service.cli.printing import console, table

journal = typer.Typer(help="The journal of jobs on this machine.", no_args_is_help=True)


@journal.callback()
def group() -> None:
    """Makes `verify` a subcommand, although it is the only one."""


@journal.command()
def verify(as_json: AsJson = False, home: Home = None) -> None:
    """Check the journal: SQLite's file, and every row against its seal; list the damaged ones."""
    from sqlalchemy.exc import DBAPIError

    from service import opening
    from service.jobs.database import connect_database
    from service.jobs.errors import JournalUnavailable
    from service.jobs.verification import integrity
    from service.jobs.verification import verify as damaged_rows

    settings = settings_of(home)
    engine = connect_database(opening.journal_url(settings), known=True)
    try:
        found = [{"table": "", "key": "", "problem": text} for text in integrity(engine)]
        found += [{"table": row.table, "key": row.key, "problem": row.problem} for row in damaged_rows(engine)]
    except DBAPIError as error:
        raise JournalUnavailable from error
    finally:
        engine.dispose()
    if found or as_json:
        table(found, ["table", "key", "problem"], as_json)
    if found:
        raise typer.Exit(1)
    if not as_json:
        console.print("No damage found.")
