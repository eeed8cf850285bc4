"""What observes the jobs of a process: its metrics, and its traces if there are any."""

from typing import TYPE_CHECKING

from service.jobs.job import Job
from service.telemetry.jobs import JobFigures

if TYPE_CHECKING:
    from service.telemetry.traces import Traces


class JobObservers:
    """All observers. `moved` and `stage` are arguments of a `JobQueue`."""

    def __init__(self, figures: JobFigures, traces: "Traces | None") -> None:
        self._traces = traces
        self._all: list[JobFigures | Traces] = [figures] if traces is None else [figures, traces]

    def close(self) -> None:
        """Sends the last spans."""
        if self._traces is not None:
            self._traces.close()

    def moved(self, job: Job, end: str | None) -> None:
        """A job's status has changed; `end` is how its attempt ended, if one did."""
        for each in self._all:
            each.moved(job, end)

    def stage(self, job: Job, name: str, began: float, ended: float) -> None:
        """An attempt has left a stage of its work."""
        for each in self._all:
            each.stage(job, name, began, ended)
