"""Sweeps as the API shows them. Imports neither torch nor FastAPI."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.jobs import sweep as sweeps
from service.jobs.job import Status


@closed
class Trial(TypedDict):
    """One trial of a sweep: its settings by their paths in the spec, its job, and what it came to. `objective` is null until it
    has ended, and if it has failed. A `vectorized` one has its job together with others."""

    number: int
    job_id: str | None
    status: str
    values: dict[str, Any]
    objective: float | None
    version: int | None
    error: dict[str, Any] | None
    vectorized: bool


@closed
class Version(TypedDict):
    """The version that a sweep has published."""

    model_name: str
    version: int


@closed
class Sweep(TypedDict):
    """A sweep. `settings` are what is searched and how, every default filled in; `spec` is that of its trials without their
    settings; `winner_job_id` is the job that trains the best settings again."""

    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    settings: dict[str, Any]
    created_at: str
    finished_at: str | None
    trials_by_status: dict[str, int]
    best: Trial | None
    winner_job_id: str | None
    result: Version | None
    error: dict[str, Any] | None


@closed
class SweepWithTrials(Sweep):
    """A sweep, with its trials in the order of their numbers."""

    trials: list[Trial]


def sweep_document(sweep: sweeps.Sweep) -> Sweep:
    """The sweep with the fields of the schema."""
    counts = dict.fromkeys(map(str, Status), 0)
    for each in sweep.trials:
        counts[each.status] += 1
    return {
        "id": sweep.id,
        "status": sweep.status,
        "requested": sweep.requested,
        "model_name": sweep.model_name,
        "spec": sweep.spec,
        "settings": sweep.settings,
        "created_at": sweep.created_at,
        "finished_at": sweep.finished_at,
        "trials_by_status": {name: count for name, count in counts.items() if count},
        "best": None if sweep.best_trial is None else _trial_document(sweep.best_trial),
        "winner_job_id": sweep.winner_job,
        "result": None if sweep.result is None else _version(sweep.result),
        "error": sweep.error,
    }


def sweep_with_trials(sweep: sweeps.Sweep) -> SweepWithTrials:
    """The same with its trials."""
    return {**sweep_document(sweep), "trials": list(map(_trial_document, sweep.trials))}


def _trial_document(trial: sweeps.Trial) -> Trial:
    return {
        "number": trial.number,
        "job_id": trial.job_id,
        "status": trial.status,
        "values": trial.settings,
        "objective": trial.objective,
        "version": (trial.result or {}).get("version"),
        "error": trial.error,
        "vectorized": trial.vectorized,
    }


def _version(result: dict[str, Any]) -> Version:
    return {"model_name": result["model_name"], "version": result["version"]}
