"""Those who are told what becomes of jobs: the figures, and the traces where there are any."""

from typing import TYPE_CHECKING

from service.jobs.job import Job
from service.telemetry.jobs import JobFigures

if TYPE_CHECKING:
    from service.telemetry.traces import Traces


class Watchers:
    """All of one process. Its methods are what a `JobQueue` wants to be given."""

    def __init__(self, figures: JobFigures, traces: "Traces | None") -> None:
        self._traces = traces
        self._all: list[JobFigures | Traces] = [figures] if traces is None else [figures, traces]

    def close(self) -> None:
        """What is still to be told is, as far as somebody takes it now."""
        if self._traces is not None:
            self._traces.close()

    def moved(self, job: Job, end: str | None) -> None:
        """A job's status has changed; `end` is how its attempt ended, if one did."""
        for each in self._all:
            each.moved(job, end)

    def stage(self, job: Job, name: str, began: float, ended: float) -> None:
        """An attempt has gone through a stage."""
        for each in self._all:
            each.stage(job, name, began, ended)
