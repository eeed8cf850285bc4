"""The book that jobs are kept in: transactions over the database, and the one place where a job's status changes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from service.jobs import tables
from service.jobs.database import is_full, is_unavailable
from service.jobs.errors import IllegalMove, JobNotFound, JournalFull, JournalUnavailable
from service.jobs.job import FINAL, MOVES, Job, Status
from service.jobs.rows import json_text, json_value, time_text

Clock = Callable[[], datetime]
Moved = Callable[[Job, str | None], None]  # the job, and how its attempt ended where one did


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Book:
    """What the journal, the dispatch and the housekeeping have in common. Several processes may share the database.

    Every method of theirs may raise JournalUnavailable, and has then changed nothing.

    Args:
        engine: from `open_database`.
        clock: tells the time; another one in tests.
        changed: called with a job's id after each commit that changed it.
        moved: called after each commit that began or ended an attempt, or ended a job.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock = utc_now,
        changed: Callable[[str], None] = lambda _: None,
        moved: Moved = lambda *_: None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._moved = moved

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(write=False)

    def _write(self) -> AbstractContextManager[Connection]:
        return self._transaction(write=True)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            if not is_unavailable(error):
                raise
            raise (JournalFull if is_full(error) else JournalUnavailable) from error
        except NoConnection as error:
            raise JournalUnavailable from error

    def _now(self) -> str:
        return time_text(self._clock())

    def _note(self, connection: Connection, row: RowMapping, kind: str, data: dict[str, Any], **values: Any) -> None:
        """Changes a job and appends the event that tells of it. `row` is the job as this transaction has found it."""
        number = row["last_event"] + 1
        change(connection, row["id"], last_event=number, **values)
        event = {"number": number, "type": kind, "created_at": self._now(), "data": json_text(data)}
        connection.execute(insert(tables.events).values(job_seq=row["seq"], **event))

    def _move(self, connection: Connection, row: RowMapping, to: Status, **about: Any) -> RowMapping:
        """The one place where a status changes. `about` is told by the event, and kept where the job has ended."""
        if to not in MOVES[Status(row["status"])]:
            raise IllegalMove(f"the job is {row['status']} and cannot become {to}")
        about = {name: value for name, value in about.items() if value is not None}
        values: dict[str, Any] = {"status": to, "requested": None}
        if to in FINAL:
            values["finished_at"] = self._now()
            values |= {name: json_text(about[name]) for name in ("result", "error") if name in about}
            self._announce(connection, row)
        self._note(connection, row, "status", {"status": to, **about}, **values)
        return found(connection, row["id"])

    def _announce(self, connection: Connection, row: RowMapping) -> None:
        """Whoever asked to be told of the end will be: in the same transaction, so that no crash comes between."""
        webhook = json_value(row["spec"]).get("webhook")
        if webhook is not None:
            due = {"url": webhook["url"], "tries": 0, "next_at": self._now()}
            connection.execute(insert(tables.deliveries).values(job_seq=row["seq"], **due))


def found(connection: Connection, job_id: str, *, lock: bool = False) -> RowMapping:
    """The job's row; with `lock` nobody else changes it before this transaction has ended.

    Raises:
        JobNotFound: there is none with this id.
    """
    if "\0" in job_id:  # which PostgreSQL would not even compare
        raise JobNotFound
    query = select(tables.jobs).where(tables.jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise JobNotFound
    return row


def change(connection: Connection, job_id: str, **values: Any) -> None:
    """Sets columns of a job."""
    connection.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(values))
