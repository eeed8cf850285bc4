"""The sweeps in the journal, as clients see them. What is returned has been committed."""

import secrets
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from service.jobs import tables
from service.jobs.errors import IllegalMove
from service.jobs.idempotency import recall, remember
from service.jobs.journal import Idempotency, Journal
from service.jobs.records import extract_records
from service.jobs.rows import json_text, time_text
from service.jobs.seals import Row, broken, sealed
from service.jobs.sweep import Sweep, SweepStatus, Trial
from service.jobs.sweep_rows import COLUMNS, change_sweep, found_sweep, sweep_of, trial_of

DAMAGED = "the sweep is damaged in the journal"


class SweepJournal(Journal):
    """Reads and creates sweeps, and takes what clients request of them."""

    # Reading

    def sweep(self, sweep_id: str) -> Sweep:
        """The sweep with its trials.

        Raises:
            SweepNotFound: there is none with this id.
        """
        with self._read() as connection:
            row = found_sweep(connection, sweep_id)
            return sweep_of(row, self._trials(connection, row))

    def list_sweeps(
        self, *, status: SweepStatus | None = None, model_name: str | None = None, after: str | None = None, limit: int
    ) -> tuple[list[Sweep], bool]:
        """A page of sweeps with their trials, newest first, and whether there are more.

        Raises:
            SweepNotFound: `after` is no sweep.
        """
        if model_name is not None and "\0" in model_name:
            return [], False
        sweeps = tables.sweeps.c
        query = select(*COLUMNS).order_by(sweeps.seq.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(sweeps.status == status)
        if model_name is not None:
            query = query.where(sweeps.model_name == model_name)
        with self._read() as connection:
            if after is not None:
                query = query.where(sweeps.seq < found_sweep(connection, after)["seq"])
            rows = connection.execute(query).mappings().all()
            return [sweep_of(row, self._trials(connection, row)) for row in rows[:limit]], len(rows) > limit

    def _trials(self, connection: Connection, sweep: Row) -> tuple[Trial, ...]:
        trials, jobs = tables.trials, tables.jobs.c
        about = [jobs.status.label("job_status"), jobs.result.label("job_result"), jobs.error.label("job_error")]
        query = select(trials, *about).outerjoin(tables.jobs, jobs.id == trials.c.job_id)
        rows = connection.execute(query.where(trials.c.sweep_seq == sweep["seq"]).order_by(trials.c.number)).mappings()
        found = list(rows)
        shared = Counter(row["job_id"] for row in found if row["job_id"] is not None)
        return tuple(trial_of(row, sweep["id"], vectorized=shared[row["job_id"]] > 1) for row in found)

    # Creating

    def create(
        self,
        model_name: str,
        spec: dict[str, Any],
        settings: dict[str, Any],
        *,
        idempotency: Idempotency | None = None,
    ) -> tuple[Sweep, bool]:
        """A new sweep, and True; or the one that was created with the same idempotency key, and False.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        outlined, records = extract_records(spec)
        now, seconds = self._clock(), settings.get("max_seconds")
        row = {
            "id": secrets.token_hex(12),
            "status": SweepStatus.RUNNING,
            "model_name": model_name,
            "spec": json_text(outlined),
            "settings": json_text(settings),
            "created_at": time_text(now),
            "deadline": None if seconds is None else time_text(now + timedelta(seconds=seconds)),
        }
        try:
            sweep, new = self._create(row, records, idempotency, now)
        except IntegrityError:  # another request with the same key has just been committed
            sweep, new = self._create(row, records, idempotency, now)
        self._changed(sweep.id)
        return sweep, new

    def _create(
        self, row: dict[str, Any], records: str | None, idempotency: Idempotency | None, now: datetime
    ) -> tuple[Sweep, bool]:
        with self._write() as connection:
            if idempotency is not None:
                if (known := recall(connection, *idempotency, now)) is not None:
                    found = found_sweep(connection, known)
                    return sweep_of(found, self._trials(connection, found)), False
                remember(connection, *idempotency, row["id"], now)
            connection.execute(insert(tables.sweeps).values(records=records, **sealed("sweeps", row)))
            return sweep_of(found_sweep(connection, row["id"]), ()), True

    def recall_sweep(self, key: str, digest: str) -> Sweep | None:
        """The sweep that was created with this idempotency key, if any.

        Raises:
            IdempotencyMismatch: the key was used with another digest.
        """
        with self._read() as connection:
            sweep_id = recall(connection, key, digest, self._clock())
        return None if sweep_id is None else self.sweep(sweep_id)

    # Requests of clients. What they change of the trials is done by whoever advances the sweep, see `to_advance`.

    def cancel_sweep(self, sweep_id: str) -> Sweep:
        """Cancels a sweep.

        Raises:
            IllegalMove: it has ended otherwise.
        """
        return self._ask(sweep_id, SweepStatus.CANCELLED, "cancel", {SweepStatus.RUNNING, SweepStatus.PAUSED})

    def pause_sweep(self, sweep_id: str) -> Sweep:
        """Pauses a sweep: its trials save a checkpoint, and no more are begun.

        Raises:
            IllegalMove: it has ended.
        """
        return self._ask(sweep_id, SweepStatus.PAUSED, "pause", {SweepStatus.RUNNING})

    def resume_sweep(self, sweep_id: str) -> Sweep:
        """Lets a paused sweep go on.

        Raises:
            IllegalMove: it has ended.
        """
        return self._ask(sweep_id, SweepStatus.RUNNING, "resume", {SweepStatus.PAUSED})

    def _ask(self, sweep_id: str, to: SweepStatus, request: str, allowed: set[SweepStatus]) -> Sweep:
        with self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            if row["status"] != to:
                if row["status"] not in allowed:
                    raise IllegalMove(f"the sweep has {row['status']}, and can no longer be {request}{_ED[request]}")
                if broken("sweeps", row) and to is not SweepStatus.CANCELLED:
                    raise IllegalMove(f"{DAMAGED}, and can only be cancelled")
                row = change_sweep(connection, row, status=to, requested=request, **self._clock_values(row, to))
            sweep = sweep_of(row, self._trials(connection, row))
        self._changed(sweep_id)
        return sweep

    def _clock_values(self, row: Row, to: SweepStatus) -> dict[str, Any]:
        """The columns that stop and start a sweep's clock."""
        now = self._clock()
        if to is SweepStatus.CANCELLED:
            return {"finished_at": time_text(now)}
        if to is SweepStatus.PAUSED and row["deadline"] is not None:
            left = (datetime.fromisoformat(row["deadline"]) - now).total_seconds()
            return {"deadline": None, "seconds_left": max(left, 0.0)}
        if to is SweepStatus.RUNNING and row["seconds_left"] is not None:
            deadline = time_text(now + timedelta(seconds=row["seconds_left"]))
            return {"deadline": deadline, "seconds_left": None}
        return {}


_ED = {"cancel": "led", "pause": "d", "resume": "d"}
