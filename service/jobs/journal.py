"""The journal as clients see it: every job, its events and its metrics. What is returned has been committed."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from service.jobs import histories, series, tables
from service.jobs.errors import IllegalMove
from service.jobs.idempotency import recall, remember
from service.jobs.job import AttemptRecord, Event, Job, Status
from service.jobs.journal_base import COUNTS, JournalBase, change, found
from service.jobs.records import extract_records, outline, whole_job
from service.jobs.rows import damaged, job_of, json_text, time_text
from service.jobs.seals import Row, seal_of

RESUMABLE_FOR = timedelta(days=7)  # that a job keeps its checkpoint after a failure outside of it
DAMAGED = "the job is damaged in the journal, and can only be cancelled"
IDS_AT_ONCE = 500  # in one statement
MOST_BYTES = 4 * 2**20  # of rows in a page

Idempotency = tuple[str, str]  # a client's key, and the digest of its request


class Mark(NamedTuple):
    """The values of a job of which one differs whenever it has changed."""

    status: str
    requested: str | None
    attempt: int
    event: int


class Journal(JournalBase):
    """Reads, submits, cancels, pauses and resumes jobs."""

    # Reading

    def get(self, job_id: str) -> Job:
        """The job.

        Raises:
            JobNotFound: there is none with this id.
        """
        with self._read() as connection:
            return whole_job(connection, found(connection, job_id))

    def outline(self, job_id: str) -> Job:
        """The job, without the records of its spec if they are in their own table.

        Raises:
            JobNotFound: there is none with this id.
        """
        with self._read() as connection:
            return job_of(found(connection, job_id))

    def marks(self, job_ids: Sequence[str]) -> dict[str, Mark]:
        """The marks of those of these jobs that exist."""
        jobs, marks = tables.jobs.c, dict[str, Mark]()
        query = select(jobs.id, jobs.status, jobs.requested, jobs.attempt, jobs.last_event)
        with self._read() as connection:
            for start in range(0, len(job_ids), IDS_AT_ONCE):
                ids = [each for each in job_ids[start : start + IDS_AT_ONCE] if "\0" not in each]
                marks |= {job_id: Mark(*mark) for job_id, *mark in connection.execute(query.where(jobs.id.in_(ids)))}
        return marks

    def list_jobs(
        self,
        *,
        status: Status | None = None,
        model_name: str | None = None,
        sweep: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> tuple[list[Job], bool]:
        """A page of jobs without the records of their specs, newest first, starting after `after`; and whether there are
        more. It has at most about MOST_BYTES.

        Raises:
            JobNotFound: `after` is no job.
        """
        query = select(tables.jobs).order_by(tables.jobs.c.seq.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(tables.jobs.c.status == status)
        if model_name is not None:
            if "\0" in model_name:  # PostgreSQL would refuse it
                return [], False
            query = query.where(tables.jobs.c.model_name == model_name)
        if sweep is not None:
            if "\0" in sweep:
                return [], False
            query = query.where(tables.jobs.c.id.in_(_jobs_of_sweep(sweep)))
        with self._read() as connection:
            if after is not None:
                query = query.where(tables.jobs.c.seq < found(connection, after)["seq"])
            jobs, size = list[Job](), 0
            # One at a time: jobs of older versions hold their records, up to 16 MiB each.
            with connection.execution_options(yield_per=1).execute(query) as rows:
                for row in rows.mappings():
                    if len(jobs) == limit or size > MOST_BYTES:
                        return jobs, True
                    size += sum(len(value) for value in row.values() if isinstance(value, str))
                    job = job_of(row)
                    jobs.append(replace(job, spec=outline(job.spec)))
        return jobs, False

    def events(
        self,
        job_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        most_bytes: int | None = None,
        types: Collection[str] = (),
    ) -> list[Event]:
        """The job's events numbered above `after`, in order: at most `limit`, and no more after `most_bytes`; with `types` only
        those of these types."""
        with self._read() as connection:
            row = found(connection, job_id)
            return histories.events(connection, row, after, limit, most_bytes, self._most_metric_events, types)

    def attempts(self, job_id: str) -> list[AttemptRecord]:
        """The attempts at the job, in order."""
        with self._read() as connection:
            return histories.attempts(connection, found(connection, job_id))

    def metrics(self, job_id: str) -> dict[str, list[float | None]]:
        """The series of metrics by name, `epoch` first; thinned to at most 10,000 epochs. Empty ones before the first report.

        Raises:
            MetricsDamaged: a part of them is damaged or lost.
        """
        with self._read() as connection:
            return series.whole(connection, found(connection, job_id))

    def counts(self) -> dict[Status, int]:
        """How many jobs there are of each status, by an index alone. A damaged status counts as failed."""
        status, counts = tables.jobs.c.status, dict.fromkeys(Status, 0)
        with self._read() as connection:
            for each, count in connection.execute(select(status, func.count()).group_by(status)):
                counts[Status(each) if each in set(Status) else Status.FAILED] += count
        return {each: count for each, count in counts.items() if count}

    def waiting(self) -> list[Job]:
        """Every queued or paused job that is not damaged."""
        query = select(tables.jobs).where(tables.jobs.c.status.in_([Status.QUEUED, Status.PAUSED]))
        with self._read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings() if not damaged(row)]

    def unfinished(self) -> list[Job]:
        """Every queued, running or paused job that is not damaged."""
        living = [Status.QUEUED, Status.RUNNING, Status.PAUSED]
        with self._read() as connection:
            found = connection.execute(select(tables.jobs).where(tables.jobs.c.status.in_(living))).mappings()
            return [job_of(row) for row in found if not damaged(row)]

    # Submitting

    def submit(
        self,
        model_name: str,
        spec: dict[str, Any],
        context: dict[str, Any],
        *,
        priority: int = 0,
        idempotency: Idempotency | None = None,
    ) -> tuple[Job, bool]:
        """A new queued job, and True; or the job that was created with the same idempotency key, and False.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        row, apart = self._new(model_name, spec, context, priority)
        try:
            job, new = self._submit(row, apart, idempotency)
        except IntegrityError:  # another request with the same key has just been committed
            job, new = self._submit(row, apart, idempotency)
        if new:
            self._changed(job.id)
        return job, new

    def _new(
        self, model_name: str, spec: dict[str, Any], context: dict[str, Any], priority: int
    ) -> tuple[dict[str, Any], str | None]:
        """The row of a new job, and its records."""
        outlined, apart = extract_records(spec)
        row = {
            "id": secrets.token_hex(12),
            "status": Status.QUEUED,
            "model_name": model_name,
            "spec": json_text(outlined),
            "context": json_text(context),
            "priority": priority,
            "attempt": 0,
            "progress": "{}",
            "metrics": "{}",
            "last_event": 0,
            "publishing": 0,
            **COUNTS,
        }
        return row, apart

    def _submit(self, row: dict[str, Any], apart: str | None, idempotency: Idempotency | None) -> tuple[Job, bool]:
        with self._write() as connection:
            if idempotency is not None:
                if (known := recall(connection, *idempotency, self._clock())) is not None:
                    return whole_job(connection, found(connection, known)), False
                remember(connection, *idempotency, row["id"], self._clock())
            row |= {"created_at": self._now()}
            seals = {"seal": seal_of("jobs", row), "state_seal": seal_of("job states", row)}
            connection.execute(insert(tables.jobs).values(**row, **seals))
            written = found(connection, row["id"])
            if apart is not None:
                connection.execute(insert(tables.records).values(job_seq=written["seq"], records=apart))
            written = self._note(connection, written, "status", {"status": Status.QUEUED})
            return whole_job(connection, written), True

    def recall(self, key: str, digest: str) -> Job | None:
        """The job that was created with this idempotency key, if any.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        with self._read() as connection:
            job_id = recall(connection, key, digest, self._clock())
            return None if job_id is None else whole_job(connection, found(connection, job_id))

    # Requests of clients

    def cancel(self, job_id: str) -> Job:
        """Cancels a waiting job at once, a running one through its runner.

        Raises:
            IllegalMove: the job has ended otherwise, or may have published its model.
        """
        return self._request(job_id, Status.CANCELLED, "cancel")

    def pause(self, job_id: str) -> Job:
        """Pauses a waiting job at once, a running one through its runner, after it has saved a checkpoint.

        Raises:
            IllegalMove: the job has ended, is publishing its model, or is being cancelled.
        """
        return self._request(job_id, Status.PAUSED, "pause")

    def resume(self, job_id: str) -> Job:
        """Puts a paused job back into the queue, or one that has lately failed for a reason outside of it; withdraws the
        request to pause a running job.

        Raises:
            IllegalMove: the job has ended otherwise or too long ago, or is being cancelled.
        """
        with self._write() as connection:
            row = found(connection, job_id, lock=True)
            job = job_of(row)
            if job.damaged:
                raise IllegalMove(DAMAGED)
            if job.resumable:
                row = self._resume_failed(connection, row)
            elif job.final or job.requested == "cancel":
                raise IllegalMove(f"{_state(job)}, and cannot go on")
            elif job.status is Status.PAUSED:
                row = self._move(connection, row, Status.QUEUED)
            elif job.requested == "pause":
                row = change(connection, row, requested=None)
            job = whole_job(connection, row)
        self._changed(job_id)
        return job

    def _resume_failed(self, connection: Connection, row: Row) -> Row:
        if row["finished_at"] < time_text(self._clock() - RESUMABLE_FOR):
            days = f"{RESUMABLE_FOR.days} days"
            raise IllegalMove(f"the job has failed more than {days} ago, and its checkpoint is gone")
        row = self._move(connection, row, Status.QUEUED)
        # A delivery that reports this end, and has not been made, is dropped: it was not the end.
        connection.execute(delete(tables.deliveries).where(tables.deliveries.c.job_seq == row["seq"]))
        return change(connection, row, finished_at=None, error=None, not_before=None, put_off=0, crashes=0)

    def _request(self, job_id: str, to: Status, request: str) -> Job:
        with self._write() as connection:
            row = found(connection, job_id, lock=True)
            job = job_of(row)
            if job.status is to or job.requested == request:
                return job
            if job.damaged and row["status"] not in {Status.RUNNING, Status.SUCCEEDED}:
                if to is not Status.CANCELLED:
                    raise IllegalMove(DAMAGED)
                self._close_damaged(connection, row, to)
                row = found(connection, row["id"])
            elif row["publishing"]:
                raise IllegalMove("the job is publishing its model, and can no longer be stopped")
            elif job.final or job.requested == "cancel":
                raise IllegalMove(f"{_state(job)}, and can no longer be {to}")
            elif job.status is Status.RUNNING:
                row = change(connection, row, requested=request)
            else:
                row = self._move(connection, row, to)
            job = job_of(row)
        self._changed(job_id)
        if job.final:
            self._moved(job, None)
        return job

    def fail_waiting(self, job_id: str, error: dict[str, Any]) -> Job:
        """Fails a job that waits.

        Raises:
            IllegalMove: it runs, or has ended.
        """
        with self._write() as connection:
            row = found(connection, job_id, lock=True)
            if row["status"] == Status.RUNNING:
                raise IllegalMove("the job runs")
            job = job_of(self._move(connection, row, Status.FAILED, error=error))
        self._changed(job_id)
        self._moved(job, None)
        return job


def _jobs_of_sweep(sweep_id: str) -> CompoundSelect[Any]:
    sweeps, trials = tables.sweeps.c, tables.trials.c
    of_trials = select(trials.job_id).join(tables.sweeps, sweeps.seq == trials.sweep_seq).where(sweeps.id == sweep_id)
    winner = select(sweeps.winner_job).where(sweeps.id == sweep_id)
    return of_trials.union_all(winner)


def _state(job: Job) -> str:
    return "the job is being cancelled" if job.requested == "cancel" else f"the job has {job.status}"
