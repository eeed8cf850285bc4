"""The steps of sweeps. Each is one transaction, under the lock of the sweep's row, that checks that it has not been made before:
so it does not matter how many processes advance a sweep, and when they are killed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from service.jobs import tables
from service.jobs.errors import SweepDamaged
from service.jobs.job import Status
from service.jobs.records import digest_of
from service.jobs.rows import json_or, json_text, time_text
from service.jobs.seals import Row, sealed
from service.jobs.sweep import SWEEP_FINAL, SweepStatus
from service.jobs.sweep_journal import SweepJournal
from service.jobs.sweep_rows import change_sweep, found_sweep
from service.strict_json import decode


@dataclass(frozen=True)
class NewJob:
    """A job to be submitted, as `Journal.submit` takes it."""

    spec: dict[str, Any]
    context: dict[str, Any]
    priority: int


@dataclass(frozen=True)
class NewTrial:
    """A trial to be made: its settings, and its job, which may be that of others too; without one, why there is none."""

    settings: dict[str, Any]
    job: NewJob | None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class TrialEnd:
    """What a trial has come to."""

    number: int
    status: Status
    objective: float | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class SweepSteps(SweepJournal):
    """Advances sweeps. Each step returns whether it was made; it was not if another process was faster, or the sweep was
    stopped meanwhile."""

    def to_advance(self) -> list[str]:
        """The ids of the sweeps with something to do: those that run, and those whose trials do not know a request yet."""
        sweeps = tables.sweeps.c
        wanted = (sweeps.status == SweepStatus.RUNNING) | sweeps.requested.is_not(None)
        with self._read() as connection:
            return list(connection.execute(select(sweeps.id).where(wanted).order_by(sweeps.seq)).scalars())

    def whole_spec(self, sweep_id: str) -> dict[str, Any]:
        """The spec of the sweep's trials, with its records.

        Raises:
            SweepDamaged: they are lost or changed.
        """
        records = select(tables.sweeps.c.records).where(tables.sweeps.c.id == sweep_id)
        with self._read() as connection:
            spec = json_or(found_sweep(connection, sweep_id)["spec"], {})
            data = spec.get("data")
            if not isinstance(data, dict) or not isinstance(data.get("records"), dict):
                return spec
            text = connection.execute(records).scalar()
        if text is None or digest_of(text) != data["records"].get("sha256"):
            raise SweepDamaged
        return {**spec, "data": {**data, "records": decode(text.encode(), math.inf)}}

    def carried_out(self, sweep_id: str, request: str) -> bool:
        """Takes note that the trials know a request."""
        with self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            if row["requested"] != request:
                return False
            change_sweep(connection, row, requested=None)
        return True

    def settle(self, sweep_id: str, ends: Sequence[TrialEnd]) -> bool:
        """Takes note of the ends of trials."""
        with self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            for end in ends:
                of = (tables.trials.c.sweep_seq == row["seq"]) & (tables.trials.c.number == end.number)
                known = connection.execute(select(tables.trials).where(of)).mappings().one()
                if known["status"] is None:
                    values = {
                        "status": end.status,
                        "objective": end.objective,
                        "result": None if end.result is None else json_text(end.result),
                        "error": None if end.error is None else json_text(end.error),
                    }
                    fresh = sealed("trials", {**known, **values}, row["id"])
                    connection.execute(update(tables.trials).where(of).values(**values, seal=fresh["seal"]))
        self._changed(sweep_id)
        return True

    def begin_round(self, sweep_id: str, after: int, round_: Sequence[NewTrial]) -> bool:
        """Makes the trials of a round, and their jobs, after so many trials before."""
        with self.together(), self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            there = select(func.count()).where(tables.trials.c.sweep_seq == row["seq"])
            if row["status"] != SweepStatus.RUNNING or connection.execute(there).scalar() != after:
                return False
            job_ids = self._add_all(row, after + 1, round_)
            for place, each in enumerate(round_):
                values = _trial_row(row, after + 1 + place, each, job_ids[place])
                connection.execute(insert(tables.trials).values(sweep_seq=row["seq"], **values))
        self._announce(sweep_id, list(dict.fromkeys(job_ids)))
        return True

    def begin_winner(self, sweep_id: str, best: int, job: NewJob) -> bool:
        """Submits the job that trains the best settings again."""
        with self.together(), self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            if row["status"] != SweepStatus.RUNNING or row["winner_job"] is not None:
                return False
            job_id = self._add(row, [best], job, winner=True)
            change_sweep(connection, row, best=best, winner_job=job_id)
        self._announce(sweep_id, [job_id])
        return True

    def end(
        self,
        sweep_id: str,
        status: SweepStatus,
        *,
        best: int | None = None,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> bool:
        """Ends a sweep that runs."""
        with self._write() as connection:
            row = found_sweep(connection, sweep_id, lock=True)
            if row["status"] != SweepStatus.RUNNING:
                return False
            values: dict[str, Any] = {"best": row["best"] if best is None else best}
            values |= {name: json_text(value) for name, value in (("result", result), ("error", error)) if value}
            change_sweep(connection, row, status=status, finished_at=self._now(), requested=None, **values)
        self._changed(sweep_id)
        return True

    def forget_sweeps(self, days: float) -> None:
        """Removes sweeps that ended so long ago from the journal. Their models stay."""
        sweeps, before = tables.sweeps.c, time_text(self._clock() - timedelta(days=days))
        with self._write() as connection:
            old = select(sweeps.seq, sweeps.id).where(sweeps.status.in_(SWEEP_FINAL), sweeps.finished_at < before)
            for seq, sweep_id in connection.execute(old).all():
                keys = tables.idempotency_keys
                connection.execute(delete(keys).where(keys.c.job_id == sweep_id))
                connection.execute(delete(tables.trials).where(tables.trials.c.sweep_seq == seq))
                connection.execute(delete(tables.sweeps).where(sweeps.seq == seq))

    def _add_all(self, sweep: Row, first: int, round_: Sequence[NewTrial]) -> list[str | None]:
        """Submits the jobs of trials whose numbers begin at `first`; returns each one's."""
        numbers: dict[int, list[int]] = {}
        for place, each in enumerate(round_):
            numbers.setdefault(id(each.job), []).append(first + place)
        made: dict[int, str] = {}
        for each in round_:
            if each.job is not None and id(each.job) not in made:
                made[id(each.job)] = self._add(sweep, numbers[id(each.job)], each.job)
        return [made.get(id(each.job)) for each in round_]

    def _add(self, sweep: Row, numbers: list[int], job: NewJob, *, winner: bool = False) -> str:
        shared = {"vectorized": numbers} if len(numbers) > 1 else {}
        about = {"id": sweep["id"], "number": numbers[0], "winner": winner, **shared}
        row, records = self._new(sweep["model_name"], job.spec, job.context | {"sweep": about}, job.priority)
        return self._submit(row, records, None)[0].id

    def _announce(self, sweep_id: str, job_ids: Sequence[str | None]) -> None:
        for each in (*job_ids, sweep_id):
            if each is not None:
                self._changed(each)


def _trial_row(sweep: Row, number: int, trial: NewTrial, job_id: str | None) -> dict[str, Any]:
    row = {
        "number": number,
        "job_id": job_id,
        "settings": json_text(trial.settings),
        "status": None if job_id else Status.FAILED,
        "error": None if trial.error is None else json_text(trial.error),
    }
    return sealed("trials", row, sweep["id"])
