"""The trainer's side of one attempt: what the work reports to the runner, and asks of it."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from service.jobs.errors import AttemptSuperseded
from service.jobs.lines import Lines

BETWEEN_REPORTS = 0.05  # seconds: at most 20 reports a second, however fast the epochs are


class Attempt:
    """Passed to the work; lives in the attempt's own process."""

    def __init__(self, lines: Lines, job: dict[str, Any]) -> None:
        self.job = job
        self._lines = lines
        self._series: dict[str, list[Any]] = {}
        self._began = self._reported = 0.0
        self._epochs = self._samples = self._done_before = 0
        self._asked_to_leave = False

    def expect(self, epochs: int, samples: int, done: int = 0) -> None:
        """How many epochs there are, of how many samples each, and how many of them attempts before have done."""
        self._epochs, self._samples, self._done_before = epochs, samples, done
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

    def asked_to_leave(self) -> bool:
        """Whether the runner wants this attempt to save where it stands and to end. Never waits."""
        while not self._asked_to_leave and self._lines.any():
            self._asked_to_leave = bool(self._lines.one().get("leave"))
        return self._asked_to_leave

    def saved(self, epoch: int) -> None:
        """There is a new checkpoint, made in this epoch; the next attempt goes on from there."""
        self.flush()
        self._lines.send({"saved": epoch})

    def ask_to_publish(self) -> None:
        """Returns once the job's result may be made visible.

        Raises:
            AttemptSuperseded: it may not; the job was cancelled or given to another.
        """
        self.flush()
        self._lines.send({"may_publish": True})
        try:
            while "publish" not in (answer := self._lines.one()):
                pass  # asked to leave: too late, it is done
        except EOFError:
            raise AttemptSuperseded from None
        if not answer["publish"]:
            raise AttemptSuperseded

    def _progress(self, done: int) -> dict[str, Any]:
        took, now_done = max(time.monotonic() - self._began, 1e-9), done - self._done_before
        return {
            "epoch": done,
            "epochs": self._epochs,
            "fraction": done / self._epochs,
            "samples_per_second": round(now_done * self._samples / took, 1),
            "eta_seconds": round(took / max(now_done, 1) * (self._epochs - done), 3),
        }


Work: TypeAlias = Callable[[Attempt], dict[str, Any]]  # what an attempt does; it returns the job's result
