"""Reading the whole journal again: which rows are not what was written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, select
from sqlalchemy.exc import DBAPIError

from service.jobs import tables
from service.jobs.database import is_up_to_date
from service.jobs.errors import JournalNotOpened
from service.jobs.rows import damaged

AT_ONCE = 500  # rows that are read at a time
SEALED: dict[Table, Callable[[RowMapping], bool]] = {tables.jobs: damaged}  # and how a row of each is found damaged


@dataclass(frozen=True)
class Damage:
    """A row that is not what was written, by its table and the columns that name it; without a row, what is wrong with the
    table or the file as a whole."""

    table: str
    row: dict[str, Any]
    reason: str


@dataclass
class Report:
    """What is damaged; how many rows were held against their seals, and how many rows of before have none."""

    damages: list[Damage] = field(default_factory=list)
    sealed: int = 0
    unsealed: int = 0


def verify(engine: Engine) -> Report:
    """Checks the file of a SQLite journal, and every row that is sealed, while services may write.

    Raises:
        JournalNotOpened: another version of the software has written it.
    """
    report = Report()
    with engine.connect() as connection:
        if not is_up_to_date(connection):
            raise JournalNotOpened(
                "Another version of Modelwright has written the journal: start this one once, then verify."
            )
        if engine.dialect.name == "sqlite":
            report.damages += [Damage("", {}, text) for text in _integrity(connection)]
        for table, is_damaged in SEALED.items():
            try:
                _verify(connection, table, is_damaged, report)
            except DBAPIError as error:
                report.damages.append(Damage(table.name, {}, f"cannot be read: {' '.join(str(error.orig).split())}"))
    return report


def _integrity(connection: Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file."""
    try:
        found = [str(text) for (text,) in connection.exec_driver_sql("PRAGMA integrity_check")]
    except DBAPIError as error:
        found = [str(error.orig)]
    return (" ".join(text.split()) for text in found if text != "ok")


def _verify(connection: Connection, table: Table, is_damaged: Callable[[RowMapping], bool], report: Report) -> None:
    names = [column.name for column in table.primary_key] + (["id"] if "id" in table.c else [])
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=AT_ONCE)
    for row in connection.execute(query).mappings():
        if row["seal"] is None:
            report.unsealed += 1
        else:
            report.sealed += 1
        if is_damaged(row):
            report.damages.append(Damage(table.name, {name: row[name] for name in names}, "is not what was written"))
