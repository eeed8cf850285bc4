"""Housekeeping: removes what is not needed any more.

| what | when it is removed |
|---|---|
| events, and deliveries of webhooks | so many days after their job has ended |
| metric events of one job beyond the newest 10,000 | at the next run; its series stay |
| idempotency keys | after a day |
| checkpoints | when their job has ended; 7 days later if it can be resumed |
| folders of attempts | when the attempt has ended |
| days of the audit log | so many days after (`service/access/audit.py`) |
| counts of rows for drift | 30 days after (`service/jobs/drift_counts.py`) |
| jobs that have ended, with their records, attempts and series | so many days after, if the operator sets a number |
"""

import contextlib
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, func, select

from service.jobs import idempotency, tables
from service.jobs.errors import JobNotFound
from service.jobs.job import FINAL, Status
from service.jobs.journal import RESUMABLE_FOR
from service.jobs.journal_base import JournalBase, found
from service.jobs.rows import job_of, time_text
from service.jobs.seals import Row

AT_ONCE = 200


class Housekeeping(JournalBase):
    """Several services may do it at the same time.

    Args:
        at_once: jobs in one transaction, so that its lock is held briefly.
        journal: as for every `JournalBase`.
    """

    def __init__(self, engine: Engine, *, at_once: int = AT_ONCE, **journal: Any) -> None:
        super().__init__(engine, **journal)
        self._at_once = at_once

    def forget_old(self, days: float) -> None:
        """Removes old events, deliveries and idempotency keys from the journal."""
        keys = tables.idempotency_keys
        with self._write() as connection:
            connection.execute(delete(keys).where(keys.c.created_at < time_text(self._clock() - idempotency.KEPT)))
        while self._forget_events(days):
            pass
        self._shorten_histories()

    def forget_jobs(self, days: float) -> None:
        """Removes jobs that ended so long ago from the journal. Their models stay."""
        jobs, before = tables.jobs, time_text(self._clock() - timedelta(days=days))
        query = select(jobs.c.seq, jobs.c.id).where(jobs.c.status.in_(FINAL), jobs.c.finished_at < before)
        while True:
            with self._read() as connection:
                old = connection.execute(query.limit(self._at_once)).all()
            if not old:
                return
            numbers = [seq for seq, _ in old]
            with self._write() as connection:
                for table in (tables.events, tables.metrics, tables.attempts, tables.deliveries, tables.records):
                    connection.execute(delete(table).where(table.c.job_seq.in_(numbers)))
                keys = tables.idempotency_keys
                connection.execute(delete(keys).where(keys.c.job_id.in_([job_id for _, job_id in old])))
                # Not a job that was resumed since the query.
                ended = jobs.c.seq.in_(numbers) & jobs.c.status.in_(FINAL)
                connection.execute(delete(jobs).where(ended))

    def sweep(self, attempts: Path, checkpoints: Path) -> None:
        """Removes the folders of attempts that have ended, and the checkpoints of jobs that have ended."""
        for folder in attempts.glob("*-*"):
            job_id, _, attempt = folder.name.rpartition("-")
            if not attempt.isdigit() or not self._runs(job_id, int(attempt)):
                shutil.rmtree(folder, ignore_errors=True)
        for folder in checkpoints.glob("*"):
            if not self._keeps_checkpoints(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _forget_events(self, days: float) -> bool:
        """Removes those of some jobs; returns whether there may be more."""
        before = time_text(self._clock() - timedelta(days=days))
        jobs, events, deliveries = tables.jobs.c, tables.events, tables.deliveries
        query = select(events.c.job_seq).distinct().join(tables.jobs).where(jobs.finished_at < before)
        with self._read() as connection:
            old = list(connection.execute(query.limit(self._at_once)).scalars())
        if old:
            with self._write() as connection:
                connection.execute(delete(events).where(events.c.job_seq.in_(old)))
                connection.execute(delete(deliveries).where(deliveries.c.job_seq.in_(old)))
        return len(old) == self._at_once

    def _shorten_histories(self) -> None:
        events = tables.events.c
        of_metrics = events.type == "metrics"
        query, most = select(events.job_seq).where(of_metrics).group_by(events.job_seq), self._most_metric_events
        with self._read() as connection:
            long = list(connection.execute(query.having(func.count() > most)).scalars())
        for seq in long:
            newest = select(events.number).where(events.job_seq == seq, of_metrics).order_by(events.number.desc())
            with self._write() as connection:
                oldest_kept = connection.execute(newest.offset(most - 1).limit(1)).scalar_one()
                old = (events.job_seq == seq) & of_metrics & (events.number < oldest_kept)
                connection.execute(delete(tables.events).where(old))

    def _row(self, job_id: str) -> Row | None:
        with contextlib.suppress(JobNotFound), self._read() as connection:
            return found(connection, job_id)
        return None

    def _runs(self, job_id: str, attempt: int) -> bool:
        row = self._row(job_id)
        return row is not None and (row["status"], row["attempt"]) == (Status.RUNNING, attempt)

    def _keeps_checkpoints(self, job_id: str) -> bool:
        row = self._row(job_id)
        if row is None or row["status"] not in FINAL:  # or damaged: the operator may repair it
            return row is not None
        return job_of(row).resumable and row["finished_at"] >= time_text(self._clock() - RESUMABLE_FOR)
