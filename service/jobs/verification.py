"""Walks over the rows of the journal, and tells which of them are not what was written."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from service.jobs import tables
from service.jobs.rows import damaged

AT_ONCE = 500  # rows in memory


@dataclass(frozen=True)
class DamagedRow:
    """One row that is not as it should be.

    Attributes:
        table: the table's name.
        key: which row, as a person can find it: `job 1b2c…`; empty of a whole table.
        problem: `damaged`: it is not what its seal says; `unreadable`: the database could not read the table to its end.
    """

    table: str
    key: str
    problem: str


def verify(engine: Engine) -> Iterator[DamagedRow]:
    """All rows that are damaged, while services may go on."""
    try:
        with engine.connect().execution_options(yield_per=AT_ONCE) as connection:
            for row in connection.execute(select(tables.jobs)).mappings():
                if damaged(row):
                    name = row["id"]
                    shown = name if isinstance(name, str) and name.isalnum() else ascii(name)
                    yield DamagedRow("jobs", f"job {shown}", "damaged")
    except DBAPIError:
        yield DamagedRow("jobs", "", "unreadable")
