"""Advance sweeps: note how their trials have ended, begin the next round, and train the best settings again."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson

from model_store import Store
from service.jobs.errors import IllegalMove, JobNotFound, JournalUnavailable
from service.jobs.job import Job, Status
from service.jobs.rows import time_text
from service.jobs.sweep import Sweep, SweepStatus, Trial
from service.jobs.sweep_steps import SweepSteps, TrialEnd
from service.use_cases.attempt_store import HISTORY
from service.use_cases.submit_training import Limits
from service.use_cases.sweep_spec import SweepSettings
from service.use_cases.sweep_trials import job_of, round_of
from service.use_cases.trial_figures import PARTS, losses_of
from service.workflow.errors import InvalidSpec
from service.workflow.search.objective import figure_of, minimized
from service.workflow.search.suggest import Ended, suggest

OVER = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
MOST_STEPS = 8  # of one sweep in a row: then it is the others' turn

log = logging.getLogger(__name__)


class SweepAdvancer:
    """Takes the steps of sweeps. Each is a transaction of its own, after which another process could go on.

    Args:
        store: of the models and data sets.
        journal: of the sweeps and their jobs.
        limits: of trainings.
        slots: the trainings that run at a time.
        wake: called when there are jobs to start, or requests to running ones.
    """

    def __init__(self, store: Store, journal: SweepSteps, limits: Limits, slots: int, wake: Callable[[], None]) -> None:
        self._store = store
        self._journal = journal
        self._limits = limits
        self._slots = slots
        self._wake = wake

    def advance_all(self) -> bool:
        """Advances every sweep as far as it can be now; returns whether there are any that go on."""
        ids = self._journal.to_advance()
        for sweep_id in ids:
            try:
                steps = 0
                while steps < MOST_STEPS and self.advance(sweep_id):
                    steps += 1
            except JournalUnavailable:
                raise
            except Exception:
                log.exception("the sweep %s could not be advanced; it is tried again", sweep_id)
        return bool(ids)

    def advance(self, sweep_id: str) -> bool:
        """Takes one step of a sweep; returns whether there may be another now."""
        sweep = self._journal.sweep(sweep_id)
        if sweep.damaged and sweep.requested is None:
            return False
        if ends := [self._end_of(sweep, each) for each in sweep.open_trials if each.status in OVER]:
            return self._journal.settle(sweep_id, ends)
        if sweep.requested is not None:
            return self._carry_out(sweep, sweep.requested)
        if sweep.status is not SweepStatus.RUNNING:
            return False
        late = sweep.deadline is not None and time_text(datetime.now(UTC)) >= sweep.deadline
        if sweep.open_trials:
            if late:
                self._each_job(sweep, self._journal.cancel)
            return False
        if sweep.winner_job is not None:
            return self._end_with(sweep, sweep.winner_job)
        if not late and len(sweep.trials) < sweep.settings["trials"]:
            return self._begin_round(sweep)
        return self._choose(sweep)

    def _carry_out(self, sweep: Sweep, request: str) -> bool:
        """Passes a request on to the trials. A cancelled sweep is done when they have ended."""
        ask = {"cancel": self._journal.cancel, "pause": self._journal.pause, "resume": self._journal.resume}[request]
        self._each_job(sweep, ask)
        if request == "cancel" and (sweep.open_trials or not self._winner_is_over(sweep)):
            return False
        return self._journal.carried_out(sweep.id, request)

    def _each_job(self, sweep: Sweep, ask: Callable[[str], Job]) -> None:
        for job_id in (*(each.job_id for each in sweep.open_trials), sweep.winner_job):
            if job_id is not None:
                with suppress(IllegalMove, JobNotFound):  # it has ended meanwhile
                    ask(job_id)
        self._wake()

    def _winner_is_over(self, sweep: Sweep) -> bool:
        if sweep.winner_job is None:
            return True
        try:
            return self._journal.outline(sweep.winner_job).final
        except JobNotFound:
            return True

    def _begin_round(self, sweep: Sweep) -> bool:
        settings = SweepSettings.model_validate(sweep.settings)
        done = len(sweep.trials)
        count = min(sweep.settings["parallel"], sweep.settings["trials"] - done)
        suggested = suggest(
            settings.search, settings.method, settings.seed, list(map(_known(sweep), sweep.trials)), count
        )
        spec = self._journal.whole_spec(sweep.id)
        publish = settings.keep_versions
        trials = round_of(self._store, self._limits, spec, suggested, publish=publish, slots=self._slots)
        begun = self._journal.begin_round(sweep.id, done, trials)
        self._wake()
        return begun

    def _end_of(self, sweep: Sweep, trial: Trial) -> TrialEnd:
        """What a trial has come to, whose job has ended."""
        objective, result, error, found = sweep.settings["objective"], trial.result, trial.error, None
        if trial.status is Status.SUCCEEDED and result is not None:
            if "losses" not in result and result["version"] is not None:
                result = result | self._figures_of(result)
            found = figure_of(objective, result)
            if found is None:
                error = {"code": "no_objective", "detail": f"{objective} is not defined for this trial"}
        return TrialEnd(trial.number, trial.status, None if found is None else float(found), result, error)

    def _figures_of(self, result: dict[str, Any]) -> dict[str, Any]:
        """The figures of a trial's version, whose attempt died after it had published and before it could say them."""
        version = self._store.models.get(result["model_name"], result["version"])
        stops = version.manifest["spec"]["training"]["early_stopping"]
        with self._store.models.local_file(version, HISTORY) as path:
            series = orjson.loads(path.read_bytes())
        metrics = {name: version.manifest["metrics"][name] for name in PARTS if name in version.manifest["metrics"]}
        return {"metrics": metrics, "losses": losses_of(series, None if stops is None else stops["monitor"])}

    def _choose(self, sweep: Sweep) -> bool:
        """Ends a sweep all of whose trials have ended, or begins the training of the best settings."""
        good = [each for each in sweep.trials if each.objective is not None and each.status is Status.SUCCEEDED]
        if not good:
            return self._journal.end(sweep.id, SweepStatus.FAILED, error=_no_trial(sweep))
        loss = _loss(sweep)
        best = min(good, key=lambda each: (loss(each), each.number))
        if sweep.settings["keep_versions"]:
            result = {name: (best.result or {}).get(name) for name in ("model_name", "version")}
            return self._journal.end(sweep.id, SweepStatus.SUCCEEDED, best=best.number, result=result)
        spec = self._journal.whole_spec(sweep.id)
        try:
            job = job_of(self._store, self._limits, spec, best.settings)
        except InvalidSpec as error:  # its data set was deleted
            failed = {"code": "invalid_spec", "detail": str(error)}
            return self._journal.end(sweep.id, SweepStatus.FAILED, best=best.number, error=failed)
        begun = self._journal.begin_winner(sweep.id, best.number, job)
        self._wake()
        return begun

    def _end_with(self, sweep: Sweep, winner_job: str) -> bool:
        """Ends a sweep as the training of its best settings has ended."""
        try:
            job = self._journal.outline(winner_job)
        except JobNotFound:
            gone = {"code": "job_not_found", "detail": "the job that trained the best settings again was deleted"}
            return self._journal.end(sweep.id, SweepStatus.FAILED, error=gone)
        if not job.final:
            return False
        if job.status is Status.SUCCEEDED:
            return self._journal.end(sweep.id, SweepStatus.SUCCEEDED, result=job.result)
        if job.status is Status.CANCELLED:
            return self._journal.end(sweep.id, SweepStatus.CANCELLED)
        return self._journal.end(sweep.id, SweepStatus.FAILED, error=job.error)


def _loss(sweep: Sweep) -> Callable[[Trial], float]:
    sign = 1.0 if minimized(sweep.settings["objective"]) else -1.0
    return lambda trial: sign * (trial.objective or 0.0)


def _known(sweep: Sweep) -> Callable[[Trial], Ended]:
    loss = _loss(sweep)
    return lambda trial: Ended(trial.number, trial.settings, None if trial.objective is None else loss(trial))


def _no_trial(sweep: Sweep) -> dict[str, Any]:
    """Why a sweep has no best trial: the first reason that one of them gives."""
    errors = (each.error for each in sweep.trials if each.error is not None)
    first = next(errors, {"code": "no_trial", "detail": "no trial has ended with a figure in time"})
    number = next((each.number for each in sweep.trials if each.error is not None), None)
    return (
        first
        if number is None
        else first | {"detail": f"no trial has succeeded. Trial {number}: {first.get('detail')}"}
    )
