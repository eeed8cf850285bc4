"""What the classes over the journal share: transactions, and the one place where a job's status changes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from service.jobs import tables
from service.jobs.database import is_full, is_unavailable
from service.jobs.errors import IllegalMove, JobNotFound, JournalFull, JournalUnavailable
from service.jobs.fair_lock import write_lock_of
from service.jobs.job import FINAL, MOVES, Job, Status
from service.jobs.rows import damage, damaged, json_text, time_text
from service.jobs.seals import Row, resealed, sealed

Clock = Callable[[], datetime]
MOST_METRIC_EVENTS = 10_000  # kept of one job
COUNTS = {  # of a new job
    **dict.fromkeys(("crashes", "fenced", "put_off", "server_deaths", "saved_epoch", "points", "ends"), 0),
    "stride": 1,
}

Moved = Callable[[Job, str | None], None]  # the job, and how its attempt ended if one did


class _ThreadState(threading.local):
    connection: Connection | None = None  # that of `own_connection`
    transaction: Connection | None = None  # that of `together`
    callbacks: list[Callable[[], None]] | None = None  # to be called once that is committed


class JournalBase:
    """Base of `Journal`, `JobQueue`, `Outbox` and `Housekeeping`. Several processes may share the database.

    Every method may raise JournalUnavailable, and has then changed nothing.

    Args:
        engine: from `open_database`.
        clock: returns the time, in UTC.
        changed: called with a job's id after each commit that changed it.
        moved: called after each commit that began or ended an attempt, or ended a job.
        most_metric_events: kept of one job; housekeeping removes the oldest beyond them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        changed: Callable[[str], None] = lambda _: None,
        moved: Moved = lambda *_: None,
        most_metric_events: int = MOST_METRIC_EVENTS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._moved_callback = moved
        self._most_metric_events = most_metric_events
        self._write_lock = write_lock_of(engine)
        self._thread = _ThreadState()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes all that this thread writes within one transaction. Callbacks are called after its commit."""
        callbacks: list[Callable[[], None]] = []
        with self._transaction(write=True) as connection:
            self._thread.transaction, self._thread.callbacks = connection, callbacks
            try:
                yield
            finally:
                self._thread.transaction = self._thread.callbacks = None
        for call in callbacks:
            call()

    @contextmanager
    def own_connection(self) -> Iterator[None]:
        """Gives this thread a connection of its own, so that its transactions never wait for one of the pool."""
        with self._unavailable(), self._engine.connect() as connection:
            self._thread.connection = connection
            try:
                yield
            finally:
                self._thread.connection = None

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(write=False)

    def _write(self) -> AbstractContextManager[Connection]:
        under_way = self._thread.transaction
        return self._transaction(write=True) if under_way is None else nullcontext(under_way)

    def _moved(self, job: Job, end: str | None) -> None:
        """Reports a move for metrics and traces; not of a damaged row, whose values cannot be trusted."""
        if not job.damaged:
            self._moved_callback(job, end)

    def _after_commit(self, call: Callable[[], None]) -> None:
        """Calls this now, or after the commit of `together`."""
        if self._thread.callbacks is None:
            call()
        else:
            self._thread.callbacks.append(call)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        with self._unavailable(), ExitStack() as stack:
            if write and self._write_lock is not None:
                stack.enter_context(self._write_lock)
            connection = self._thread.connection or stack.enter_context(self._engine.connect())
            with connection.execution_options(write=write).begin():
                yield connection

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        """Raises the database's errors as the journal's."""
        try:
            yield
        except DBAPIError as error:
            if not is_unavailable(error):
                raise
            raise (JournalFull if is_full(error) else JournalUnavailable) from error
        except NoConnection as error:
            raise JournalUnavailable from error

    def _now(self) -> str:
        return time_text(self._clock())

    def _note(self, connection: Connection, row: Row, kind: str, data: dict[str, Any], **values: Any) -> Row:
        """Changes a job and appends an event; returns the new row. `row` is as this transaction has last seen it."""
        number = row["last_event"] + 1
        self._add_event(connection, row, number, kind, data)
        return change(connection, row, last_event=number, **values)

    def _add_event(self, connection: Connection, row: Row, number: int, kind: str, data: dict[str, Any]) -> None:
        event = {"number": number, "type": kind, "created_at": self._now(), "data": json_text(data)}
        connection.execute(insert(tables.events).values(job_seq=row["seq"], **sealed("events", event, row["id"])))

    def _move(self, connection: Connection, row: Row, to: Status, **about: Any) -> Row:
        """The one place where a status changes. The event holds `about`; a final job keeps its result and error."""
        if to not in MOVES.get(row["status"], ()):
            raise IllegalMove(f"the job is {row['status']} and cannot become {to}")
        about = {name: value for name, value in about.items() if value is not None}
        values: dict[str, Any] = {"status": to, "requested": None}
        if to in FINAL:
            values["finished_at"] = max(self._now(), row["started_at"] or "")  # the clock may have been set back
            values |= {name: json_text(about[name]) for name in ("result", "error") if name in about}
            values["ends"] = row["ends"] + 1
            self._add_delivery(connection, row, values["ends"])
        return self._note(connection, row, "status", {"status": to, **about}, **values)

    def _close_damaged(self, connection: Connection, row: Row, to: Status) -> None:
        """Ends a job whose row is damaged, and stays so: none of its values is used, not even its id."""
        number = last_event(connection, row) + 1
        values = {"status": to, "requested": None, "finished_at": self._now(), "owner": None, "last_event": number}
        connection.execute(update(tables.jobs).where(tables.jobs.c.seq == row["seq"]).values(values))
        self._add_event(connection, row, number, "status", {"status": to, "error": damage("this job")})

    def _add_delivery(self, connection: Connection, row: Row, end: int) -> None:
        """Puts a delivery into the outbox if the spec has a webhook; in the transaction that ends the job, so that no crash
        can separate them. Not of a damaged row, whose URL may be another's."""
        if damaged(row):
            return
        webhook = orjson.loads(row["spec"]).get("webhook")
        if webhook is not None:
            # The job may end a second time: it was resumed after a failure.
            connection.execute(delete(tables.deliveries).where(tables.deliveries.c.job_seq == row["seq"]))
            due = {"url": webhook["url"], "tries": 0, "next_at": self._now(), "end": end}
            due = sealed("deliveries", due, row["id"])
            connection.execute(insert(tables.deliveries).values(job_seq=row["seq"], **due))


def found(connection: Connection, job_id: str, *, lock: bool = False) -> Row:
    """The job's row; with `lock` no other transaction changes it before this one ends.

    Raises:
        JobNotFound: there is none with this id.
    """
    if "\0" in job_id:  # PostgreSQL would refuse it
        raise JobNotFound
    query = select(tables.jobs).where(tables.jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise JobNotFound
    return row


def change(connection: Connection, row: Row, **values: Any) -> Row:
    """Sets columns of a job and renews its seals; returns the new row. A damaged row stays damaged. `row` is as this
    transaction has last seen it."""
    values |= resealed(row, values)
    connection.execute(update(tables.jobs).where(tables.jobs.c.seq == row["seq"]).values(values))
    return {**row, **values}


def last_event(connection: Connection, row: Row) -> int:
    """The number of a job's newest event by the events themselves."""
    numbers = select(func.max(tables.events.c.number)).where(tables.events.c.job_seq == row["seq"])
    return connection.execute(numbers).scalar() or 0
