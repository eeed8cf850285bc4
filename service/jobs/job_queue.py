"""The journal as runners see it: they claim jobs, record what attempts report, and move the jobs on when they end."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, or_, select, text, update

from service.jobs import series, tables
from service.jobs.errors import AttemptSuperseded
from service.jobs.job import Job, Status
from service.jobs.journal_base import COUNTS, JournalBase, change, found, last_event
from service.jobs.records import whole_job
from service.jobs.rows import SUSPECT, job_of, json_text, time_text
from service.jobs.seals import Row, broken, sealed, state_broken

MOST_CRASHES = 3  # in a row, without a newer checkpoint
MOST_FENCED = 5  # attempts in a row whose lease expired before they saved a checkpoint
FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 60.0
PATIENCE = 900.0
MOST_PASSES = 8  # jobs that start before a suspect whose turn it is

log = logging.getLogger(__name__)

Stage = Callable[[Job, str, float, float], None]
Outcome = tuple[Status, dict[str, Any]]


class JobQueue(JournalBase):
    """What runners do with jobs. A job belongs to an attempt until another attempt has begun; then whatever the first one
    reports raises AttemptSuperseded.

    Args:
        stage: called with each stage that an attempt has left, and when it began and ended.
        patience: seconds for which a job waits, all in all, for a failure outside of it to pass.
        first_back_off: seconds before the attempt after a crash; twice as many after the next.
        most_points: epochs of a job that are stored before they are thinned.
        journal: as for every `JournalBase`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        stage: Stage = lambda *_: None,
        patience: float = PATIENCE,
        first_back_off: float = FIRST_BACK_OFF,
        most_points: int = series.MOST_POINTS,
        **journal: Any,
    ) -> None:
        super().__init__(engine, **journal)
        self._stage = stage
        self._patience = patience
        self._first_back_off = first_back_off
        self._most_points = most_points
        self._passes: dict[str, int] = {}  # how many jobs have started before the suspect whose turn it was

    def claim(self, owner: str, *, alone: bool = True) -> Job | None:
        """Claims the next queued job for this owner; None when none may start. Damaged jobs before it fail. A suspect starts
        only if it runs `alone`. Until then jobs behind it start, but no more than MOST_PASSES of them: then none does until
        the suspect can."""
        with self._read() as connection:
            if connection.execute(self._next()).first() is None:
                return None  # without taking the lock
        if (job := self._claim(owner, alone)) is not None:
            self._changed(job.id)
            self._moved(job, None)
        return job

    def _claim(self, owner: str, alone: bool) -> Job | None:
        with self.together(), self._write() as connection:
            row = self._whole(connection)
            if row is not None and not alone and job_of(row).suspect:
                row = self._behind(connection, row)
            if row is None:
                return None
            attempt, now = row["attempt"] + 1, self._now()
            begun = sealed("attempts", {"number": attempt, "owner": owner, "started_at": now}, row["id"])
            connection.execute(insert(tables.attempts).values(job_seq=row["seq"], **begun))
            _beat(connection, owner)
            mark = {"attempt": attempt, "owner": owner, "started_at": row["started_at"] or now, "not_before": None}
            row = change(connection, row, **mark)
            return whole_job(connection, self._move(connection, row, Status.RUNNING, attempt=attempt))

    def _behind(self, connection: Connection, suspect: Row) -> Row | None:
        """The row of the next job that is no suspect, locked; None when enough of them have passed the suspect."""
        passes = self._passes.get(suspect["id"], 0)
        row = self._whole(connection, suspects=False) if passes < MOST_PASSES else None
        if row is not None:
            self._passes = {suspect["id"]: passes + 1}  # of the first in the queue only
        return row

    def _whole(self, connection: Connection, *, suspects: bool = True) -> Row | None:
        """The row of the next job, locked. Damaged jobs before it are closed."""
        query = self._next(suspects=suspects).with_for_update(skip_locked=True)
        while (row := connection.execute(query).mappings().one_or_none()) is not None:
            if not whole_job(connection, row).damaged:
                break
            self._close_damaged(connection, row, Status.FAILED)
            log.error("job %r is damaged in the journal, and cannot begin", row["id"])
            self._after_commit(partial(self._changed, row["id"]))
        return row

    def _next(self, *, suspects: bool = True) -> Any:
        """The query of the oldest of the jobs with the highest priority that may start now."""
        jobs, now = tables.jobs.c, self._clock()
        # A moment further away than any back-off was written before the clock was set back: it is ignored.
        ripe: ColumnElement[bool] = or_(
            jobs.not_before.is_(None),
            jobs.not_before <= time_text(now),
            jobs.not_before > time_text(now + timedelta(seconds=LONGEST_BACK_OFF)),
        )
        queued = (jobs.status == Status.QUEUED) & ripe
        if not suspects:
            queued &= jobs.server_deaths < SUSPECT
        urgent = select(jobs.priority).where(queued).order_by(jobs.priority.desc()).limit(1).scalar_subquery()
        return select(tables.jobs).where(queued, jobs.priority == urgent).order_by(jobs.seq).limit(1)

    def running(self, owner: str) -> list[Job]:
        """The jobs that this owner runs."""
        query = select(tables.jobs).where(tables.jobs.c.status == Status.RUNNING, tables.jobs.c.owner == owner)
        with self._read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings()]

    # Leases

    def beat(self, owner: str) -> None:
        """Counts a beat of this owner."""
        with self._write() as connection:
            _beat(connection, owner)

    def beats(self) -> dict[str, int]:
        """How often each owner that runs jobs has beaten."""
        jobs, owners = tables.jobs.c, tables.owners.c
        query = (
            select(jobs.owner, owners.beat)
            .distinct()
            .select_from(tables.jobs.outerjoin(tables.owners, jobs.owner == owners.owner))
            .where(jobs.status == Status.RUNNING)
        )
        with self._read() as connection:
            return {owner: beat or 0 for owner, beat in connection.execute(query)}

    def owners(self) -> dict[str, int]:
        """How often each owner has beaten, whether it runs anything or not."""
        owners = tables.owners.c
        with self._read() as connection:
            return {row.owner: row.beat for row in connection.execute(select(owners.owner, owners.beat))}

    def forget(self, owner: str) -> None:
        """Removes an owner's beats. Should it still run, its next beat counts anew."""
        with self._write() as connection:
            connection.execute(delete(tables.owners).where(tables.owners.c.owner == owner))

    def release(self, owner: str, cause: dict[str, Any], *, forget: bool = True) -> list[Job]:
        """Puts every job that this owner runs back into the queue, and returns them. An owner that may come back is not to be
        forgotten."""
        released = []
        for job in self.running(owner):
            try:
                released.append(self.finish(job, Status.QUEUED, error=cause))
            except AttemptSuperseded:
                continue
        if forget:
            self.forget(owner)
        return released

    # What a running attempt reports. Raises AttemptSuperseded when the job is no longer this attempt's.

    def record(self, job: Job, *, progress: dict[str, Any], latest: dict[str, Any], epochs: series.Series) -> None:
        """Records epochs: the progress, the latest metrics, and the series of the epochs since the last record. They replace
        what an earlier attempt has recorded of these and later epochs."""
        with self._write() as connection:
            row = self._own(connection, job)
            counts = series.append(connection, row, epochs, self._most_points)
            values = {"progress": json_text(progress), "metrics": json_text(latest), "publishing": 0, **counts}
            data = {"epoch": progress["epoch"], **latest, "progress": progress}
            self._note(connection, row, "metrics", data, **values)
        self._after_commit(partial(self._changed, job.id))

    def message(self, job: Job, text: str) -> None:
        """Records a line of text."""
        with self._write() as connection:
            self._note(connection, self._own(connection, job), "message", {"text": text})
        self._after_commit(partial(self._changed, job.id))

    def went_through(self, job: Job, stage: str, began: float, ended: float) -> None:
        """Reports a stage that the attempt has left. It is not recorded, but measured."""
        self._after_commit(partial(self._stage, job, stage, began, ended))

    def saved(self, job: Job, epoch: int) -> None:
        """Records a checkpoint of this epoch. An attempt that gets further than all before resets the counts of failures; for
        the count of fenced attempts any checkpoint does."""
        with self._write() as connection:
            row = self._own(connection, job)
            if epoch > row["saved_epoch"]:
                change(connection, row, saved_epoch=epoch, crashes=0, fenced=0, put_off=0)
            elif row["fenced"]:
                change(connection, row, fenced=0)

    def may_publish(self, job: Job) -> bool:
        """Whether this attempt may publish its result. Once it may, the job can no longer be cancelled."""
        with self._write() as connection:
            try:
                row = self._own(connection, job)
            except AttemptSuperseded:
                return False
            if row["requested"] == "cancel":
                return False
            change(connection, row, publishing=1)
            return True

    # How an attempt ends. Each returns the job as it is then, and raises AttemptSuperseded as above.

    def finish(
        self,
        job: Job,
        status: Status,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Job:
        """Ends the job, or puts it back into the queue. What was requested meanwhile takes precedence: `cancelled` over
        everything but success, `paused` over the queue."""
        return self._conclude(job, error, lambda _: (status, {}), result)

    def crash(self, job: Job, detail: str) -> Job:
        """The attempt ended without saying how: puts the job back into the queue with a back-off, or fails it after
        MOST_CRASHES in a row."""
        return self._try_again(job, {"code": "crashed", "detail": detail}, "crashes", MOST_CRASHES)

    def fence(self, job: Job, detail: str) -> Job:
        """The attempt's lease expired: puts the job back into the queue with a back-off, or fails it after MOST_FENCED in a
        row that saved no checkpoint."""
        return self._try_again(job, {"code": "lease_lost", "detail": detail}, "fenced", MOST_FENCED)

    def orphan(self, job: Job, detail: str) -> Job:
        """The trainer server ended, and the attempt with it: puts the job back into the queue. It is not counted as a crash,
        but a job to which this happens again and again is a suspect, and runs alone."""

        def requeued(row: Row) -> Outcome:
            deaths = row["server_deaths"] + 1
            return Status.QUEUED, {"server_deaths": deaths, "not_before": self._in(self._first_back_off)}

        return self._conclude(job, {"code": "trainer_server_lost", "detail": detail}, requeued)

    def put_off(self, job: Job, error: dict[str, Any], *, unpublished: bool = False) -> Job:
        """The attempt met a failure outside of the job that may pass: puts the job back into the queue with a back-off, or
        fails it, to be resumed by a client, when its patience is over."""

        def requeued(row: Row) -> Outcome:
            first, waited = self._first_back_off, row["put_off"]  # in units of `first`: 1, 2, 4, … add up to it
            wait = min(first * (waited + 1), LONGEST_BACK_OFF)
            values = {"put_off": waited + max(1, round(wait / first)), "not_before": self._in(wait)}
            over = first * waited + wait > self._patience
            return Status.FAILED if over else Status.QUEUED, values | ({"publishing": 0} if unpublished else {})

        return self._conclude(job, error, requeued)

    def _try_again(self, job: Job, error: dict[str, Any], counted: str, most: int) -> Job:
        def requeued(row: Row) -> Outcome:
            times = row[counted] + 1
            wait = min(self._first_back_off * 2 ** (times - 1), LONGEST_BACK_OFF)
            return Status.FAILED if times >= most else Status.QUEUED, {"not_before": self._in(wait), counted: times}

        return self._conclude(job, error, requeued)

    def _conclude(
        self,
        job: Job,
        error: dict[str, Any] | None,
        outcome: Callable[[Row], Outcome],
        result: dict[str, Any] | None = None,
    ) -> Job:
        """Ends an attempt: `outcome` says, of the job's row, its next status and columns to set."""
        with self._write() as connection:
            row = self._own(connection, job)
            status, values = outcome(row)
            row = change(connection, row, **values) if values else row
            job = self._leave(connection, row, status, result=result, error=error)
        self._changed(job.id)
        self._moved(job, _end(job, error))
        return job

    def _in(self, seconds: float) -> str:
        return time_text(self._clock() + timedelta(seconds=seconds))

    def _own(self, connection: Connection, job: Job) -> Row:
        row = found(connection, job.id, lock=True)
        if row["status"] != Status.RUNNING or row["attempt"] != job.attempt:
            raise AttemptSuperseded
        if state_broken(row):  # its counts cannot be trusted: they start anew
            return {**row, **COUNTS, "last_event": last_event(connection, row)}
        return row

    def _leave(self, connection: Connection, row: Row, to: Status, **about: dict[str, Any] | None) -> Job:
        """Ends an attempt. Its cause is kept with it, whatever becomes of the job."""
        cause = about.get("error")
        if row["requested"] == "cancel" and to is not Status.SUCCEEDED:
            to, about = Status.CANCELLED, {}
        elif row["requested"] == "pause" and to is Status.QUEUED:
            to, about = Status.PAUSED, {}
        self._end_attempt(connection, row, to, None if cause is None else json_text(cause))
        # What may have been published stays so until the next attempt has checked.
        publishing = row["publishing"] if to in (Status.QUEUED, Status.PAUSED) else 0
        row = change(connection, row, owner=None, publishing=publishing)
        return job_of(self._move(connection, row, to, **about))

    def _end_attempt(self, connection: Connection, row: Row, to: Status, cause: str | None) -> None:
        attempts = tables.attempts
        mine = (attempts.c.job_seq == row["seq"]) & (attempts.c.number == row["attempt"])
        begun = connection.execute(select(attempts).where(mine)).mappings().one_or_none()
        if begun is None:  # lost with a damaged page
            return
        ended = {"ended_at": max(self._now(), str(begun["started_at"])), "status": to, "cause": cause}
        if not broken("attempts", begun, row["id"]):
            ended = sealed("attempts", {**begun, **ended}, row["id"])
        connection.execute(update(attempts).where(mine).values(ended))


def _beat(connection: Connection, owner: str) -> None:
    # In one statement: two threads of a service may write its first beat at once.
    upsert = (
        "INSERT INTO owners (owner, beat) VALUES (:owner, 1) ON CONFLICT (owner) DO UPDATE SET beat = owners.beat + 1"
    )
    connection.execute(text(upsert), {"owner": owner})


def _end(job: Job, error: dict[str, Any] | None) -> str:
    """How an attempt ended, for metrics and traces: the job's status, or the code of the error that ended it."""
    if error is None or job.status in (Status.CANCELLED, Status.PAUSED):
        return str(job.status)
    return str(error["code"])
