"""The limits of a training in seconds and samples."""

import math
import time

from service.workflow.state import State
from service.workflow.training import ResolvedSettings


class Budget:
    """The seconds and samples that are left, counted from its creation."""

    def __init__(self, settings: ResolvedSettings) -> None:
        self._seconds = math.inf if settings.max_seconds is None else settings.max_seconds
        self._samples = math.inf if settings.max_samples is None else settings.max_samples
        self._until = time.monotonic() + self._seconds
        self.spent = False

    def take(self, rows: int) -> None:
        """Counts the rows of a step."""
        self._samples -= rows
        self.spent = self._samples <= 0 or time.monotonic() >= self._until

    def state(self) -> State:
        """What `load` takes: the seconds and samples that are left."""
        return {"seconds": self._until - time.monotonic(), "samples": self._samples, "spent": self.spent}

    def load(self, state: State) -> None:
        """Restores a state. The time between `state` and `load` does not count."""
        self._until = time.monotonic() + state["seconds"]
        self._samples, self.spent = state["samples"], state["spent"]
