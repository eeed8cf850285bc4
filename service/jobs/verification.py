"""Finds damage in the journal: in SQLite's file by its own means, and the rows that are damaged, lost or stray."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sqlalchemy import Engine, Select, Table, func, select
from sqlalchemy.exc import DBAPIError

from service.jobs import series, tables
from service.jobs.database import is_damage, is_up_to_date
from service.jobs.errors import JournalNotOpened
from service.jobs.journal_base import MOST_METRIC_EVENTS
from service.jobs.records import has_digest, matches_digest
from service.jobs.rows import damaged, job_of
from service.jobs.seals import SEALED, Row, broken, state_broken
from service.jobs.sweep_rows import COLUMNS

Problem = Literal["damaged", "lost", "stray", "unreadable"]
AT_ONCE = 500  # rows in memory
_Check = Callable[[str, Row], tuple[str, Problem] | None]


@dataclass(frozen=True)
class DamagedRow:
    """One row that is not as it should be.

    Attributes:
        table: the table's name.
        key: which row, as a person can find it: `job 1b2c…, attempt 2`; empty of a whole table.
        problem: `damaged`: its seal does not fit; `lost`: it should be there; `stray`: it belongs to no job; `unreadable`:
            the database could not read the whole table.
    """

    table: str
    key: str
    problem: Problem


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


def verify(engine: Engine) -> Iterator[DamagedRow]:
    """Finds them while services may run; reads each table in a transaction of its own.

    Raises:
        DBAPIError: the database is locked or cannot be reached.
    """
    jobs = tables.jobs
    yield from _walk(engine, jobs, select(jobs), _job)
    for table in (tables.attempts, tables.events, tables.metrics, tables.deliveries):
        order = [column for column in table.c if column.name in ("job_seq", "number", "first_epoch")]
        query = select(table, jobs.c.id.label("whose")).outerjoin(jobs, jobs.c.seq == table.c.job_seq).order_by(*order)
        yield from _walk(engine, table, query, _row_of_job)
    records = tables.records
    query = select(jobs, records.c.records).outerjoin(records, records.c.job_seq == jobs.c.seq)
    yield from _walk(engine, records, query, _records, at_once=1)  # they may be 16 MiB each
    yield from _walk(engine, tables.idempotency_keys, select(tables.idempotency_keys), _idempotency_key)
    yield from _walk(engine, tables.sweeps, select(*COLUMNS), _sweep)
    trials, sweeps = tables.trials, tables.sweeps
    query = select(trials, sweeps.c.id.label("whose")).outerjoin(sweeps, sweeps.c.seq == trials.c.sweep_seq)
    yield from _walk(engine, trials, query.order_by(trials.c.sweep_seq, trials.c.number), _trial)
    attempts = tables.attempts
    there = select(func.count()).where(attempts.c.job_seq == jobs.c.seq).scalar_subquery()
    yield from _walk(engine, attempts, select(jobs.c.id, jobs.c.attempt, there.label("there")), _lost_attempts)
    events = tables.events
    newest, count = (
        select(each).where(events.c.job_seq == jobs.c.seq).scalar_subquery()
        for each in (func.max(events.c.number), func.count())
    )
    query = select(jobs.c.id, jobs.c.last_event, newest.label("newest"), count.label("there"))
    yield from _walk(engine, events, query, _lost_events)
    yield from _walk(engine, tables.metrics, select(jobs).where(jobs.c.points > 0), partial(_lost_metrics, engine))


def _walk(
    engine: Engine, table: Table, query: Select[tuple[object, ...]], check: _Check, at_once: int = AT_ONCE
) -> Iterator[DamagedRow]:
    try:
        with engine.connect().execution_options(yield_per=at_once) as connection:
            for row in connection.execute(query).mappings():
                found = check(table.name, row)
                if found is not None:
                    yield DamagedRow(table.name, *found)
    except DBAPIError as error:
        if not is_damage(error):
            raise
        yield DamagedRow(table.name, "", "unreadable")


def _job(_: str, row: Row) -> tuple[str, Problem] | None:
    return (f"job {_shown(row['id'])}", "damaged") if damaged(row) else None


def _row_of_job(name: str, row: Row) -> tuple[str, Problem] | None:
    number = SEALED[name][0]
    what = "" if name == "deliveries" else f", {number.replace('_', ' ')} {_shown(row[number])}"
    if row["whose"] is None:
        return f"job number {_shown(row['job_seq'])}{what}", "stray"
    return (f"job {_shown(row['whose'])}{what}", "damaged") if broken(name, row, row["whose"]) else None


def _records(_: str, row: Row) -> tuple[str, Problem] | None:
    problem: Problem | None = None
    if not damaged(row) and has_digest(job := job_of(row)):
        problem = "lost" if row["records"] is None else None if matches_digest(job, row["records"]) else "damaged"
    return (f"of job {_shown(row['id'])}", problem) if problem else None


def _idempotency_key(name: str, row: Row) -> tuple[str, Problem] | None:
    return (f"of job {_shown(row['job_id'])}", "damaged") if broken(name, row) else None


def _sweep(name: str, row: Row) -> tuple[str, Problem] | None:
    return (f"sweep {_shown(row['id'])}", "damaged") if broken(name, row) else None


def _trial(name: str, row: Row) -> tuple[str, Problem] | None:
    if row["whose"] is None:
        return f"sweep number {_shown(row['sweep_seq'])}, trial {_shown(row['number'])}", "stray"
    found = f"sweep {_shown(row['whose'])}, trial {_shown(row['number'])}"
    return (found, "damaged") if broken(name, row, row["whose"]) else None


def _lost_attempts(_: str, row: Row) -> tuple[str, Problem] | None:
    if row["there"] == row["attempt"]:
        return None
    return f"job {_shown(row['id'])}: {row['there']} of {_shown(row['attempt'])} attempts", "lost"


def _lost_events(_: str, row: Row) -> tuple[str, Problem] | None:
    if row["newest"] is None:  # removed by housekeeping
        return None
    if row["newest"] != row["last_event"]:
        return f"job {_shown(row['id'])}, event {_shown(row['last_event'])}", "lost"
    if row["there"] == row["last_event"] or row["last_event"] > MOST_METRIC_EVENTS:  # housekeeping removes the oldest
        return None
    return f"job {_shown(row['id'])}: {row['there']} of {row['last_event']} events", "lost"


def _lost_metrics(engine: Engine, _: str, row: Row) -> tuple[str, Problem] | None:
    with engine.connect() as connection:
        lost = not state_broken(row) and series.lost(connection, row)
    return (f"of job {_shown(row['id'])}", "lost") if lost else None


def _shown(value: object) -> str:
    """A value of a damaged row, safe for a terminal."""
    return ascii(value) if not isinstance(value, str) or not value.isalnum() else value
