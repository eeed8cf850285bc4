"""An attempt that has not been concluded yet, as the runner knows it."""

import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from service.jobs.executors.executor import AttemptHandle
from service.jobs.job import Job


@dataclass
class RunningAttempt:
    """What an attempt has reported, and what the runner has done to it."""

    job: Job
    handle: AttemptHandle
    began: float = field(default_factory=time.monotonic)
    pending: deque[dict[str, Any]] = field(default_factory=deque)  # messages that are not in the journal yet
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    put_off: dict[str, Any] | None = None  # the error that may pass
    unpublished: bool = False  # whether it is certain that it has published nothing
    left: bool = False  # whether it has saved a checkpoint and ended because it was asked to
    leaving: bool = False  # whether it was asked to
    killed: bool = False
    requesting: bool = False  # whether a request to the store has no answer yet
    publishing: bool = False  # whether that is to publish: its files must stay
    files: ExitStack = field(default_factory=ExitStack)  # what was fetched for it

    def ask_to_leave(self) -> None:
        """Asks it once to save a checkpoint and end."""
        if not self.leaving:
            self.leaving = True
            self.handle.ask_to_leave()

    def kill(self) -> None:
        """Ends it at once; from then on it may not publish."""
        if not self.killed:
            self.killed = True
            self.handle.kill()
