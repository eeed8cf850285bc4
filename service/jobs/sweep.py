"""A sweep: a search over the settings of a training, whose trials are jobs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.jobs.job import DAMAGED, Status


class SweepStatus(StrEnum):
    """The status of a sweep."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


SWEEP_FINAL = frozenset({SweepStatus.SUCCEEDED, SweepStatus.FAILED, SweepStatus.CANCELLED})


@dataclass(frozen=True)
class Trial:
    """One trial. `status` is that of its job, which may be deleted once it has ended."""

    number: int
    job_id: str | None
    settings: dict[str, Any]  # the values by their paths
    status: Status
    ended: bool  # whether the sweep has taken note of its end
    objective: float | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    vectorized: bool = False  # whether its job trains others with it


@dataclass(frozen=True)
class Sweep:
    """A sweep as the journal has it. `settings` are what is searched, and how; `spec` is that of the trials, without records."""

    id: str
    status: SweepStatus
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    settings: dict[str, Any]
    created_at: str
    deadline: str | None
    finished_at: str | None
    best: int | None
    winner_job: str | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    trials: tuple[Trial, ...] = ()

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.status in SWEEP_FINAL

    @property
    def damaged(self) -> bool:
        """Whether one of its rows in the journal is damaged."""
        return self.error is not None and self.error.get("code") == DAMAGED

    @property
    def best_trial(self) -> Trial | None:
        """The best of the trials, once all of them have ended."""
        return next((each for each in self.trials if each.number == self.best), None)

    @property
    def open_trials(self) -> tuple[Trial, ...]:
        """The trials that have not ended."""
        return tuple(each for each in self.trials if not each.ended)
