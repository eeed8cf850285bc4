"""An attempt under way, as the runner sees it."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.jobs.job import Job
from service.jobs.lines import Lines


@dataclass
class Running:
    """What is known of an attempt. It is over once it has both closed its socket and ended."""

    job: Job
    lines: Lines
    folder: Path
    open: bool = True  # whether its socket may still say something
    status: int | None = None  # its exit status, once it has ended
    unheeded: deque[dict[str, Any]] = field(default_factory=deque)  # said, but not in the journal yet
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    killed: bool = False

    @property
    def over(self) -> bool:
        """Whether it has ended and said all that it had to say."""
        return not self.open and self.status is not None

    @property
    def end(self) -> str:
        """How its process ended, in words."""
        signalled = self.status is not None and self.status < 0
        return f"signal {-(self.status or 0)}" if signalled else f"exit status {self.status}"
