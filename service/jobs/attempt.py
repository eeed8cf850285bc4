"""The trainer's side of one attempt: what the work reports to the runner, and asks of it."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from service.jobs.errors import AttemptSuperseded
from service.jobs.json_channel import Lines

BETWEEN_REPORTS = (
    0.055  # seconds: with one for a checkpoint at most 20 reports in any second, however fast the epochs are
)


class Attempt:
    """Passed to the work; lives in the attempt's own process."""

    def __init__(self, lines: Lines, job: dict[str, Any]) -> None:
        self.job = job
        self._lines = lines
        self._series: dict[str, list[Any]] = {}
        self._began = self._reported = 0.0
        self._epochs = self._samples = self._before = 0
        self._leaves = False
        self._stage: tuple[str, float, float] | None = None  # its name, and when it began by both clocks

    def stage(self, name: str | None) -> None:
        """The work is in this stage from now on; what it was in before is over, and the runner hears how long it took."""
        if self._stage is not None:
            before, began, ticks = self._stage
            # By the clock that nobody sets, so that no stage ends before it has begun.
            self._lines.send({"stage": before, "began": began, "ended": began + time.monotonic() - ticks})
        self._stage = None if name is None else (name, time.time(), time.monotonic())

    def expect(self, epochs: int, samples: int, done: int = 0) -> None:
        """How many epochs there are to be, of how many samples each, and how many an attempt before has done."""
        self._epochs, self._samples, self._before = epochs, samples, done
        self._began = time.monotonic()

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """An epoch has ended with these metrics. Sent to the runner together with its neighbours."""
        self._series.setdefault("epoch", []).append(number)
        for name, value in values.items():
            self._series.setdefault(name, []).append(value if math.isfinite(value) else None)
        now = time.monotonic()
        if now - self._reported >= BETWEEN_REPORTS or number == self._epochs:
            self._reported = now
            self.flush()

    def flush(self) -> None:
        """Sends what has not been sent yet."""
        if self._series:
            done = self._series["epoch"][-1]
            self._lines.send({"series": self._series, "progress": self._progress(done)})
            self._series = {}

    def message(self, text: str) -> None:
        """A line for whoever follows the job."""
        self._lines.send({"message": text})

    def saved(self, epoch: int) -> None:
        """From now on a later attempt would go on after this epoch."""
        self._lines.send({"saved": epoch})

    def asked_to_leave(self) -> bool:
        """Whether the attempt is to save where it stands, and to end; also when the service is gone. Does not wait."""
        try:
            self._leaves = self._leaves or any("leave" in each for each in self._lines.arrived())
        except EOFError:
            self._leaves = True
        return self._leaves

    def ask_to_publish(self) -> None:
        """Returns once the job's result may be made visible.

        Raises:
            AttemptSuperseded: it may not; the job was cancelled or given to another.
        """
        self.flush()
        self._lines.send({"may_publish": True})
        try:
            while "publish" not in (answer := self._lines.one()):
                pass  # it was asked to leave when it had nothing left to do
            allowed = answer["publish"]
        except EOFError:
            allowed = False
        if not allowed:
            raise AttemptSuperseded

    def _progress(self, done: int) -> dict[str, Any]:
        took, ours = max(time.monotonic() - self._began, 1e-9), max(done - self._before, 0)
        return {
            "epoch": done,
            "epochs": self._epochs,
            "fraction": done / self._epochs,
            "samples_per_second": round(ours * self._samples / took, 1),
            "eta_seconds": round(took / ours * (self._epochs - done), 3) if ours else None,
        }


Work: TypeAlias = Callable[[Attempt], dict[str, Any]]  # what an attempt does; it returns the job's result
