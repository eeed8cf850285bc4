"""The journal as runners see it: jobs are claimed, reported on, and moved on, each by one attempt at a time."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, or_, select, text, update

from service.jobs import series, tables
from service.jobs.errors import AttemptSuperseded
from service.jobs.job import Job, Status
from service.jobs.journal_base import COUNTS, Book, change, found, last_event
from service.jobs.records import whole_job
from service.jobs.rows import SUSPECT, job_of, json_text, time_text
from service.jobs.seals import Row, broken, sealed, state_broken

MOST_CRASHES = 3  # in a row, without getting any further
MOST_FENCED = 5  # attempts in a row that saved nothing before their service ended them
FIRST_BACK_OFF = 1.0  # seconds before the attempt after a crash; twice as many after the next
LONGEST_BACK_OFF = 60.0
PATIENCE = 900.0
MOST_PASSES = 8  # jobs that begin before a suspect whose turn it is

log = logging.getLogger(__name__)

Stage = Callable[[Job, str, float, float], None]


class Dispatch(Book):
    """What runners do with jobs. A job is its attempt's only as long as no other attempt has begun.

    Args:
        stage: called with each stage that an attempt has left, and when it began and ended; the rest is for any book.
        patience: seconds for which a job waits, all in all, for a failure of something else to pass.
    """

    def __init__(
        self, engine: Engine, *, stage: Stage = lambda *_: None, patience: float = PATIENCE, **book: Any
    ) -> None:
        super().__init__(engine, **book)
        self._stage = stage
        self._patience = patience
        self._passes: dict[str, int] = {}  # how many jobs have begun before the suspect whose turn it was

    def claim(self, owner: str, *, alone: bool = True) -> Job | None:
        """The next queued job, now running for this owner; None when there is none that may begin. What stands before it
        and is damaged fails. A suspect begins only where it is `alone`. Until then those behind it begin, but no more than
        MOST_PASSES of them: then nobody does, until it can."""
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
        """The row of the next job that is no suspect, locked; None when the one before it has let enough of them pass."""
        passes = self._passes.get(suspect["id"], 0)
        row = self._whole(connection, suspects=False) if passes < MOST_PASSES else None
        if row is not None:
            self._passes = {suspect["id"]: passes + 1}  # the first in the queue: nobody else waits like that
        return row

    def _whole(self, connection: Connection, *, suspects: bool = True) -> Row | None:
        """The row of the next job, locked. Those of damaged jobs before it are closed."""
        query = self._next(suspects=suspects).with_for_update(skip_locked=True)
        while (row := connection.execute(query).mappings().one_or_none()) is not None:
            if not whole_job(connection, row).damaged:
                break
            self._close_damaged(connection, row, Status.FAILED)
            log.error("job %r is damaged in the journal, and cannot begin", row["id"])
            self._tell(partial(self._changed, row["id"]))
        return row

    def _next(self, *, suspects: bool = True) -> Any:
        """The oldest of the most urgent jobs that may begin now."""
        jobs, now = tables.jobs.c, self._clock()
        # A moment further away than any back-off was written before the clock jumped: it is not waited for.
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
        """This owner lives, and goes on with its jobs."""
        with self._write() as connection:
            _beat(connection, owner)

    def beats(self) -> dict[str, int]:
        """Who runs jobs, and how often each has said that it lives."""
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
        """Which services have said that they live, whether they run anything or not, and how often."""
        owners = tables.owners.c
        with self._read() as connection:
            return {row.owner: row.beat for row in connection.execute(select(owners.owner, owners.beat))}

    def forget(self, owner: str) -> None:
        """Nobody counts on this service any more. Should it live, it is known again by its next beat."""
        with self._write() as connection:
            connection.execute(delete(tables.owners).where(tables.owners.c.owner == owner))

    def release(self, owner: str, cause: dict[str, Any], *, forget: bool = True) -> list[Job]:
        """Puts every job that this owner ran back into the queue: the owner is dead or stops, or else is not to be forgotten."""
        released = []
        for job in self.running(owner):
            try:
                released.append(self.finish(job, Status.QUEUED, error=cause))
            except AttemptSuperseded:
                continue
        if forget:
            self.forget(owner)
        return released

    # What a running attempt reports

    def record(self, job: Job, *, progress: dict[str, Any], latest: dict[str, Any], epochs: series.Series) -> None:
        """Epochs of a running attempt: its progress, its latest metrics, and the series of the epochs since the last
        record. They take the place of what an attempt before has recorded from the first of them on.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            counts = series.append(connection, row, epochs)
            values = {"progress": json_text(progress), "metrics": json_text(latest), "publishing": 0, **counts}
            data = {"epoch": progress["epoch"], **latest, "progress": progress}
            self._note(connection, row, "metrics", data, **values)
        self._tell(partial(self._changed, job.id))

    def message(self, job: Job, text: str) -> None:
        """A line that a running attempt has to say.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            self._note(connection, self._own(connection, job), "message", {"text": text})
        self._tell(partial(self._changed, job.id))

    def went_through(self, job: Job, stage: str, began: float, ended: float) -> None:
        """The attempt has left a stage of its work. Not written down: only who measures is told."""
        self._tell(partial(self._stage, job, stage, began, ended))

    def saved(self, job: Job, epoch: int) -> None:
        """The attempt has a new checkpoint, in this epoch. One that gets further than all before may crash anew; for one
        that is fenced each step further is enough.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            if epoch > row["saved_epoch"]:
                change(connection, row, saved_epoch=epoch, crashes=0, fenced=0, put_off=0)
            elif row["fenced"]:
                change(connection, row, fenced=0)

    def may_publish(self, job: Job) -> bool:
        """Whether this attempt may make its result visible. From a yes on, the job can no longer be cancelled."""
        with self._write() as connection:
            try:
                row = self._own(connection, job)
            except AttemptSuperseded:
                return False
            if row["requested"] == "cancel":
                return False
            change(connection, row, publishing=1)
            return True

    # How an attempt ends

    def finish(
        self,
        job: Job,
        status: Status,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Job:
        """Moves a running attempt's job on: to its end, or back into the queue; to what was asked for meanwhile in place
        of that: `cancelled` of anything but success, `paused` of the queue.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            job = self._leave(connection, self._own(connection, job), status, result=result, error=error)
        self._changed(job.id)
        self._moved(job, _end(job, error))
        return job

    def crash(self, job: Job, detail: str) -> Job:
        """A running attempt has ended without saying how: the job is queued again, to wait longer each time; or failed
        after too many such ends.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        return self._try_again(job, {"code": "crashed", "detail": detail}, "crashes", MOST_CRASHES)

    def fence(self, job: Job, detail: str) -> Job:
        """A running attempt was ended because its service could not say that it lives: the job is queued again, to wait
        longer each time; or failed when too many of its attempts in a row have not even saved a checkpoint.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        return self._try_again(job, {"code": "lease_lost", "detail": detail}, "fenced", MOST_FENCED)

    def orphan(self, job: Job, detail: str) -> Job:
        """The trainer server has ended, and a running attempt with it: the job is queued again, and not blamed; but it is
        counted, so that one whose servers end again and again runs alone.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        error = {"code": "trainer_server_lost", "detail": detail}
        with self._write() as connection:
            row = self._own(connection, job)
            row = change(connection, row, server_deaths=row["server_deaths"] + 1, not_before=self._in(FIRST_BACK_OFF))
            job = self._leave(connection, row, Status.QUEUED, error=error)
        self._changed(job.id)
        self._moved(job, _end(job, error))
        return job

    def put_off(self, job: Job, error: dict[str, Any], *, unpublished: bool = False) -> Job:
        """A running attempt has met a failure of something else that may pass: the job is queued again, to wait longer each
        time; or failed when it has waited for as long as it may, and can be resumed then.

        Raises:
            AttemptSuperseded: the job is no longer this attempt's.
        """
        with self._write() as connection:
            row = self._own(connection, job)
            waited = row["put_off"]  # in units of the first wait: 1, 2, 4, … have been all that waited + 1 says
            wait = min(FIRST_BACK_OFF * (waited + 1), LONGEST_BACK_OFF)
            over = FIRST_BACK_OFF * waited + wait > self._patience
            values = {"put_off": waited + max(1, round(wait / FIRST_BACK_OFF)), "not_before": self._in(wait)}
            row = change(connection, row, **values, **({"publishing": 0} if unpublished else {}))
            job = self._leave(connection, row, Status.FAILED if over else Status.QUEUED, error=error)
        self._changed(job.id)
        self._moved(job, _end(job, error))
        return job

    def _try_again(self, job: Job, error: dict[str, Any], counted: str, most: int) -> Job:
        with self._write() as connection:
            row = self._own(connection, job)
            times = row[counted] + 1
            wait = min(FIRST_BACK_OFF * 2 ** (times - 1), LONGEST_BACK_OFF)
            row = change(connection, row, not_before=self._in(wait), **{counted: times})
            status = Status.FAILED if times >= most else Status.QUEUED
            job = self._leave(connection, row, status, error=error)
        self._changed(job.id)
        self._moved(job, _end(job, error))
        return job

    def _in(self, seconds: float) -> str:
        return time_text(self._clock() + timedelta(seconds=seconds))

    def _own(self, connection: Connection, job: Job) -> Row:
        row = found(connection, job.id, lock=True)
        if row["status"] != Status.RUNNING or row["attempt"] != job.attempt:
            raise AttemptSuperseded
        if state_broken(row):  # its counts say nothing any more; what depends on them begins anew
            return {**row, **COUNTS, "last_event": last_event(connection, row)}
        return row

    def _leave(self, connection: Connection, row: Row, to: Status, **about: dict[str, Any] | None) -> Job:
        """The end of an attempt. Its cause stays with it, whatever becomes of the job."""
        cause = about.get("error")
        if row["requested"] == "cancel" and to is not Status.SUCCEEDED:
            to, about = Status.CANCELLED, {}
        elif row["requested"] == "pause" and to is Status.QUEUED:
            to, about = Status.PAUSED, {}
        self._end_attempt(connection, row, to, None if cause is None else json_text(cause))
        # What may have been published stays so until an attempt has looked.
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
    # In one statement: two threads of a service may make its first beat at once.
    risen = (
        "INSERT INTO owners (owner, beat) VALUES (:owner, 1) ON CONFLICT (owner) DO UPDATE SET beat = owners.beat + 1"
    )
    connection.execute(text(risen), {"owner": owner})


def _end(job: Job, error: dict[str, Any] | None) -> str:
    """How an attempt ended whose job stands so now: in what was asked for, or by the code of what stopped it."""
    if error is None or job.status in (Status.CANCELLED, Status.PAUSED):
        return str(job.status)
    return str(error["code"])
