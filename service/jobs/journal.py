"""The journal: every job, its events and its metrics, committed before anybody is told."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update

from service.jobs import tables
from service.jobs.errors import AttemptSuperseded, IdempotencyMismatch, IllegalMove, JobNotFound
from service.jobs.job import FINAL, MOVES, Event, Job, Status

MOST_CRASHES = 3
IDEMPOTENCY_KEPT = timedelta(hours=24)
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Journal:
    """All jobs, over one database that several processes may share.

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
            return _job(_row(connection, job_id))

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
        return [_job(row) for row in rows[:limit]], len(rows) > limit

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
        return [Event(row["number"], row["type"], row["created_at"], orjson.loads(row["data"])) for row in rows]

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
            if idempotency is not None and (known := self._recall(connection, *idempotency)) is not None:
                return _job(_row(connection, known)), False
            job_id = secrets.token_hex(12)
            row = {
                "id": job_id,
                "status": Status.QUEUED,
                "model_name": model_name,
                "spec": _dumps(spec),
                "context": _dumps(context),
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
                key, digest = idempotency
                values = {"key": key, "digest": digest, "job_id": job_id, "created_at": self._now()}
                connection.execute(insert(tables.idempotency_keys).values(values))
            self._append(connection, job_id, "status", {"status": Status.QUEUED})
            job = _job(_row(connection, job_id))
        self._changed(job_id)
        return job, True

    def recall(self, key: str, digest: str) -> Job | None:
        """The job that this idempotency key made, if any.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        with self._read() as connection:
            job_id = self._recall(connection, key, digest)
            return None if job_id is None else _job(_row(connection, job_id))

    def _recall(self, connection: Connection, key: str, digest: str) -> str | None:
        keys = tables.idempotency_keys
        row = connection.execute(select(keys).where(keys.c.key == key)).mappings().one_or_none()
        if row is None:
            return None
        if row["created_at"] < _text(self._clock() - IDEMPOTENCY_KEPT):
            if connection.get_execution_options().get("write"):
                connection.execute(delete(keys).where(keys.c.key == key))
            return None
        if row["digest"] != digest:
            raise IdempotencyMismatch
        job_id: str = row["job_id"]
        return job_id

    # Asked for by a client

    def cancel(self, job_id: str) -> Job:
        """Cancels a waiting job at once; asks the runner of a running one to.

        Raises:
            IllegalMove: the job has ended otherwise.
        """
        with self._write() as connection:
            job = _job(row := _row(connection, job_id))
            if job.status is Status.CANCELLED or job.requested == "cancel":
                return job
            if Status.CANCELLED not in MOVES[job.status] or row["publishing"]:
                raise IllegalMove(f"the job is {job.status}, and a job that has ended cannot be cancelled")
            if job.status is Status.RUNNING:
                self._set(connection, job_id, requested="cancel")
            else:
                self._move(connection, job, Status.CANCELLED)
            job = _job(_row(connection, job_id))
        self._changed(job_id)
        return job

    def waiting(self) -> list[Job]:
        """Every queued or paused job."""
        query = select(tables.jobs).where(tables.jobs.c.status.in_([Status.QUEUED, Status.PAUSED]))
        with self._read() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]

    def fail_waiting(self, job_id: str, error: dict[str, Any]) -> Job:
        """Fails a job that has not begun.

        Raises:
            IllegalMove: it runs, or has ended.
        """
        with self._write() as connection:
            job = _job(_row(connection, job_id))
            if job.status is Status.RUNNING:
                raise IllegalMove("the job runs")
            self._set(connection, job_id, error=_dumps(error))
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
            connection.execute(delete(tables.metrics).where(tables.metrics.c.job_seq == row["seq"]))
            job = self._move(connection, _job(row), Status.RUNNING, attempt=attempt)
        self._changed(job.id)
        return job

    def running(self, owner: str) -> list[Job]:
        """The jobs that this owner runs."""
        query = select(tables.jobs).where(tables.jobs.c.status == Status.RUNNING, tables.jobs.c.owner == owner)
        with self._read() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]

    def owners(self) -> set[str]:
        """Who runs jobs."""
        query = select(tables.jobs.c.owner).where(tables.jobs.c.status == Status.RUNNING).distinct()
        with self._read() as connection:
            return set(connection.execute(query).scalars())

    def record(
        self, job: Job, *, progress: dict[str, Any], latest: dict[str, Any], series: dict[str, list[Any]]
    ) -> None:
        """Epochs of a running attempt: its progress, its latest metrics, and the series of the epochs since the last
        record.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            self._set(connection, job.id, progress=_dumps(progress), metrics=_dumps(latest))
            chunk = {"job_seq": row["seq"], "first_epoch": series["epoch"][0], "series": _dumps(series)}
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
        """Moves a running attempt's job on: to its end, or back into the queue.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            self._own(connection, job)
            about: dict[str, Any] = {"result": result} if result is not None else {}
            about |= {"error": error} if error is not None else {}
            if status in FINAL:
                self._set(connection, job.id, **{name: _dumps(value) for name, value in about.items()})
            self._set(connection, job.id, owner=None, publishing=0)
            job = self._move(connection, job, status, **about)
        self._changed(job.id)
        return job

    def crash(self, job: Job, detail: str) -> Job:
        """A running attempt has ended without saying how: the job is queued again, or failed after too many such ends.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            crashes = self._own(connection, job)["crashes"] + 1
            self._set(connection, job.id, crashes=crashes)
        error = {"code": "crashed", "detail": detail}
        return self.finish(job, Status.FAILED if crashes >= MOST_CRASHES else Status.QUEUED, error=error)

    def release(self, owner: str, detail: str) -> list[Job]:
        """Puts every job that this owner ran back into the queue: the owner is dead, or stops."""
        released = []
        for job in self.running(owner):
            try:
                if job.requested == "cancel":
                    released.append(self.finish(job, Status.CANCELLED))
                else:
                    released.append(self.finish(job, Status.QUEUED, error={"code": "crashed", "detail": detail}))
            except AttemptSuperseded:
                continue
        return released

    # Beneath

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(write=True) as connection, connection.begin():
            yield connection

    def _own(self, connection: Connection, job: Job) -> RowMapping:
        row = _row(connection, job.id)
        if row["status"] != Status.RUNNING or row["attempt"] != job.attempt:
            raise AttemptSuperseded
        return row

    def _move(self, connection: Connection, job: Job, to: Status, **about: Any) -> Job:
        """The one place where a status changes."""
        if to not in MOVES[job.status]:
            raise IllegalMove(f"the job is {job.status} and cannot become {to}")
        self._set(connection, job.id, status=to, requested=None, finished_at=self._now() if to in FINAL else None)
        self._append(connection, job.id, "status", {"status": to, **about})
        return _job(_row(connection, job.id))

    def _append(self, connection: Connection, job_id: str, kind: str, data: dict[str, Any]) -> None:
        row = _row(connection, job_id)
        number = row["last_event"] + 1
        self._set(connection, job_id, last_event=number)
        event = {"number": number, "type": kind, "created_at": self._now(), "data": _dumps(data)}
        connection.execute(insert(tables.events).values(job_seq=row["seq"], **event))

    def _set(self, connection: Connection, job_id: str, **values: Any) -> None:
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(values))

    def _now(self) -> str:
        return _text(self._clock())


def _row(connection: Connection, job_id: str) -> RowMapping:
    row = connection.execute(select(tables.jobs).where(tables.jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise JobNotFound
    return row


def _job(row: RowMapping) -> Job:
    return Job(
        id=row["id"],
        status=Status(row["status"]),
        requested=row["requested"],
        model_name=row["model_name"],
        spec=orjson.loads(row["spec"]),
        context=orjson.loads(row["context"]),
        priority=row["priority"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempt=row["attempt"],
        progress=orjson.loads(row["progress"]),
        metrics=orjson.loads(row["metrics"]),
        result=orjson.loads(row["result"]) if row["result"] else None,
        error=orjson.loads(row["error"]) if row["error"] else None,
    )


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
