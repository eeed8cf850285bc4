"""The journal: every job, its events and its metrics, committed before anybody is told."""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from service.jobs import tables
from service.jobs.errors import (
    AttemptSuperseded,
    IllegalMove,
    JobNotFound,
    JournalFull,
    JournalUnavailable,
)
from service.jobs.idempotency import recall, remember
from service.jobs.job import FINAL, MOVES, Event, Job, Status
from service.jobs.rows import event_of, job_of, json_text, time_text

MOST_CRASHES = 3
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Journal:
    """All jobs, over one database that several processes may share.

    Every method may raise JournalUnavailable, and has then changed nothing.

    Args:
        engine: from `open_database`.
        clock: tells the time; another one in tests.
        changed: called with a job's id after each commit that changed it.
    """

    def __init__(
        self, engine: Engine, *, clock: Clock = utc_now, changed: Callable[[str], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed

    # Asking

    def get(self, job_id: str) -> Job:
        """The job.

        Raises:
            JobNotFound: there is none with this id.
        """
        with self._read() as connection:
            return job_of(_row(connection, job_id))

    def list_jobs(
        self, *, status: Status | None = None, model_name: str | None = None, after: str | None = None, limit: int = 20
    ) -> tuple[list[Job], bool]:
        """Jobs, newest first, from the one after `after`; and whether there are more.

        Raises:
            JobNotFound: `after` is no job.
        """
        query = select(tables.jobs).order_by(tables.jobs.c.seq.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(tables.jobs.c.status == status)
        if model_name is not None:
            query = query.where(tables.jobs.c.model_name == model_name)
        with self._read() as connection:
            if after is not None:
                query = query.where(tables.jobs.c.seq < _row(connection, after)["seq"])
            rows = connection.execute(query).mappings().all()
        return [job_of(row) for row in rows[:limit]], len(rows) > limit

    def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """The job's events numbered above `after`, rising."""
        with self._read() as connection:
            seq = _row(connection, job_id)["seq"]
            query = (
                select(tables.events)
                .where(tables.events.c.job_seq == seq, tables.events.c.number > after)
                .order_by(tables.events.c.number)
                .limit(limit)
            )
            rows = connection.execute(query).mappings().all()
        return [event_of(row) for row in rows]

    def metrics(self, job_id: str) -> dict[str, list[float | None]]:
        """The series of all epochs, `epoch` first. A job without any epoch has empty ones."""
        with self._read() as connection:
            seq = _row(connection, job_id)["seq"]
            query = (
                select(tables.metrics.c.series)
                .where(tables.metrics.c.job_seq == seq)
                .order_by(tables.metrics.c.first_epoch)
            )
            chunks = [orjson.loads(each) for each in connection.execute(query).scalars()]
        series: dict[str, list[float | None]] = {"epoch": [], "train_loss": []}
        for chunk in chunks:
            for name, values in chunk.items():
                series.setdefault(name, []).extend(values)
        return series

    # Submitting

    def submit(
        self,
        model_name: str,
        spec: dict[str, Any],
        context: dict[str, Any],
        *,
        priority: int = 0,
        idempotency: tuple[str, str] | None = None,
    ) -> tuple[Job, bool]:
        """A new queued job, and True; or False and the job that this idempotency (key, digest of the request) made.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        with self._write() as connection:
            if idempotency is not None and (known := recall(connection, *idempotency, self._clock())) is not None:
                return job_of(_row(connection, known)), False
            job_id = secrets.token_hex(12)
            row = {
                "id": job_id,
                "status": Status.QUEUED,
                "model_name": model_name,
                "spec": json_text(spec),
                "context": json_text(context),
                "priority": priority,
                "created_at": self._now(),
                "attempt": 0,
                "crashes": 0,
                "progress": "{}",
                "metrics": "{}",
                "publishing": 0,
                "last_event": 0,
            }
            connection.execute(insert(tables.jobs).values(row))
            if idempotency is not None:
                remember(connection, *idempotency, job_id, self._clock())
            self._append(connection, job_id, "status", {"status": Status.QUEUED})
            job = job_of(_row(connection, job_id))
        self._changed(job_id)
        return job, True

    def recall(self, key: str, digest: str) -> Job | None:
        """The job that this idempotency key made, if any.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        with self._read() as connection:
            job_id = recall(connection, key, digest, self._clock())
            return None if job_id is None else job_of(_row(connection, job_id))

    # Asked for by a client

    def cancel(self, job_id: str) -> Job:
        """Cancels a waiting job at once; asks the runner of a running one to.

        Raises:
            IllegalMove: the job has ended otherwise.
        """
        with self._write() as connection:
            job = job_of(row := _row(connection, job_id))
            if job.status is Status.CANCELLED or job.requested == "cancel":
                return job
            if row["publishing"]:
                raise IllegalMove("the job is publishing its model, and can no longer be cancelled")
            if Status.CANCELLED not in MOVES[job.status]:
                raise IllegalMove(f"the job has {job.status}, and a job that has ended cannot be cancelled")
            if job.status is Status.RUNNING:
                self._set(connection, job_id, requested="cancel")
            else:
                self._move(connection, job, Status.CANCELLED)
            job = job_of(_row(connection, job_id))
        self._changed(job_id)
        return job

    def waiting(self) -> list[Job]:
        """Every queued or paused job."""
        query = select(tables.jobs).where(tables.jobs.c.status.in_([Status.QUEUED, Status.PAUSED]))
        with self._read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings()]

    def fail_waiting(self, job_id: str, error: dict[str, Any]) -> Job:
        """Fails a job that has not begun.

        Raises:
            IllegalMove: it runs, or has ended.
        """
        with self._write() as connection:
            job = job_of(_row(connection, job_id))
            if job.status is Status.RUNNING:
                raise IllegalMove("the job runs")
            self._set(connection, job_id, error=json_text(error))
            job = self._move(connection, job, Status.FAILED, error=error)
        self._changed(job_id)
        return job

    # The runner's

    def claim(self, owner: str) -> Job | None:
        """The next queued job, now running for this owner; None when there is none."""
        order = (tables.jobs.c.priority.desc(), tables.jobs.c.seq)
        query = select(tables.jobs).where(tables.jobs.c.status == Status.QUEUED).order_by(*order).limit(1)
        with self._read() as connection:
            if connection.execute(query).first() is None:
                return None  # without taking the lock
        with self._write() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            attempt = row["attempt"] + 1
            self._set(connection, row["id"], attempt=attempt, owner=owner, started_at=row["started_at"] or self._now())
            job = self._move(connection, job_of(row), Status.RUNNING, attempt=attempt)
        self._changed(job.id)
        return job

    def running(self, owner: str) -> list[Job]:
        """The jobs that this owner runs."""
        query = select(tables.jobs).where(tables.jobs.c.status == Status.RUNNING, tables.jobs.c.owner == owner)
        with self._read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings()]

    def owners(self) -> set[str]:
        """Who runs jobs."""
        query = select(tables.jobs.c.owner).where(tables.jobs.c.status == Status.RUNNING).distinct()
        with self._read() as connection:
            return set(connection.execute(query).scalars())

    def record(
        self, job: Job, *, progress: dict[str, Any], latest: dict[str, Any], series: dict[str, list[Any]]
    ) -> None:
        """Epochs of a running attempt: its progress, its latest metrics, and the series of the epochs since the last
        record. They take the place of what an attempt before has recorded from the first of them on.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            self._set(connection, job.id, progress=json_text(progress), metrics=json_text(latest))
            seq, first = row["seq"], series["epoch"][0]
            chunks = tables.metrics.c
            connection.execute(delete(tables.metrics).where(chunks.job_seq == seq, chunks.first_epoch >= first))
            chunk = {"job_seq": seq, "first_epoch": first, "series": json_text(series)}
            connection.execute(insert(tables.metrics).values(chunk))
            self._append(connection, job.id, "metrics", {"epoch": progress["epoch"], **latest, "progress": progress})
        self._changed(job.id)

    def message(self, job: Job, text: str) -> None:
        """A line that a running attempt has to say."""
        with self._write() as connection:
            self._own(connection, job)
            self._append(connection, job.id, "message", {"text": text})
        self._changed(job.id)

    def may_publish(self, job: Job) -> bool:
        """Whether this attempt may make its result visible. From a yes on, the job can no longer be cancelled."""
        with self._write() as connection:
            try:
                row = self._own(connection, job)
            except AttemptSuperseded:
                return False
            if row["requested"] is not None:
                return False
            self._set(connection, job.id, publishing=1)
            return True

    def finish(
        self,
        job: Job,
        status: Status,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Job:
        """Moves a running attempt's job on: to its end, or back into the queue; to `cancelled` in place of anything but
        success when that was asked for.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            job = self._leave(connection, self._own(connection, job), status, result=result, error=error)
        self._changed(job.id)
        return job

    def crash(self, job: Job, detail: str) -> Job:
        """A running attempt has ended without saying how: the job is queued again, or failed after too many such ends.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            crashes = row["crashes"] + 1
            self._set(connection, job.id, crashes=crashes)
            status = Status.FAILED if crashes >= MOST_CRASHES else Status.QUEUED
            job = self._leave(connection, row, status, error={"code": "crashed", "detail": detail})
        self._changed(job.id)
        return job

    def release(self, owner: str, detail: str) -> list[Job]:
        """Puts every job that this owner ran back into the queue: the owner is dead, or stops."""
        released = []
        for job in self.running(owner):
            try:
                released.append(self.finish(job, Status.QUEUED, error={"code": "crashed", "detail": detail}))
            except AttemptSuperseded:
                continue
        return released

    # Beneath

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(write=False)

    def _write(self) -> AbstractContextManager[Connection]:
        return self._transaction(write=True)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except OperationalError as error:
            full = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise (JournalFull if full else JournalUnavailable) from error
        except NoConnection as error:
            raise JournalUnavailable from error

    def _own(self, connection: Connection, job: Job) -> RowMapping:
        row = _row(connection, job.id)
        if row["status"] != Status.RUNNING or row["attempt"] != job.attempt:
            raise AttemptSuperseded
        return row

    def _leave(self, connection: Connection, row: RowMapping, to: Status, **about: dict[str, Any] | None) -> Job:
        """The end of an attempt. A job that somebody has asked to cancel meanwhile does not go on without it."""
        if row["requested"] == "cancel" and to is not Status.SUCCEEDED:
            to, about = Status.CANCELLED, {}
        said = {name: value for name, value in about.items() if value is not None}
        kept = {name: json_text(value) for name, value in said.items()} if to in FINAL else {}
        self._set(connection, row["id"], owner=None, publishing=0, **kept)
        return self._move(connection, job_of(row), to, **said)

    def _move(self, connection: Connection, job: Job, to: Status, **about: Any) -> Job:
        """The one place where a status changes."""
        if to not in MOVES[job.status]:
            raise IllegalMove(f"the job is {job.status} and cannot become {to}")
        self._set(connection, job.id, status=to, requested=None, finished_at=self._now() if to in FINAL else None)
        self._append(connection, job.id, "status", {"status": to, **about})
        return job_of(_row(connection, job.id))

    def _append(self, connection: Connection, job_id: str, kind: str, data: dict[str, Any]) -> None:
        row = _row(connection, job_id)
        number = row["last_event"] + 1
        self._set(connection, job_id, last_event=number)
        event = {"number": number, "type": kind, "created_at": self._now(), "data": json_text(data)}
        connection.execute(insert(tables.events).values(job_seq=row["seq"], **event))

    def _set(self, connection: Connection, job_id: str, **values: Any) -> None:
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(values))

    def _now(self) -> str:
        return time_text(self._clock())


def _row(connection: Connection, job_id: str) -> RowMapping:
    row = connection.execute(select(tables.jobs).where(tables.jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise JobNotFound
    return row
