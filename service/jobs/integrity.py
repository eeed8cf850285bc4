"""Checks the journal's database by SQLite's own means. Its rows are checked in `verification.py`."""

from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from service.jobs.database import is_up_to_date
from service.jobs.errors import JournalNotOpened


def integrity(engine: Engine) -> Iterator[str]:
    """Yields a line for each problem that SQLite finds in the file; none for PostgreSQL, which has tools of its own.

    Raises:
        JournalNotOpened: another version of the software has written the journal.
    """
    with engine.connect() as connection:
        if not is_up_to_date(connection):
            raise JournalNotOpened("Another version of Modelwright has written it: start this one once, then verify.")
        if engine.dialect.name != "sqlite":
            return
        try:
            found = [str(text) for (text,) in connection.exec_driver_sql("PRAGMA integrity_check")]
        except DBAPIError as error:
            found = [str(error.orig)]
        yield from (" ".join(text.split()) for text in found if text != "ok")
