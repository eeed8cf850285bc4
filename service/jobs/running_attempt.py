"""An attempt under way, as the runner sees it."""

import contextlib
import shutil
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.jobs.job import Job
from service.jobs.json_channel import Lines
from service.jobs.output import Output


@dataclass
class Running:
    """What is known of an attempt. It is over once it has ended and all that it has said was heard."""

    job: Job
    lines: Lines
    output: Output
    folder: Path
    began: float = field(default_factory=time.monotonic)
    open: bool = True  # whether its socket may still say something
    prints: bool = True  # whether its output may
    status: int | None = None  # its exit status, once it has ended
    unheeded: deque[dict[str, Any]] = field(default_factory=deque)  # said, but not in the journal yet
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    put_off: dict[str, Any] | None = None  # the error that may pass
    unpublished: bool = False  # whether it is certain that it has published nothing
    left: bool = False  # whether it has saved where it stands, and gone because it was asked to
    leaving: bool = False  # whether it was asked to
    killed: bool = False
    orphaned: bool = False  # whether it has ended because the trainer server did
    blamed: bool = False  # whether nobody else can have ended that

    @property
    def over(self) -> bool:
        """Whether it has ended and said all that it had to say."""
        return not self.open and self.status is not None

    @property
    def end(self) -> str:
        """How its process ended, in words."""
        signalled = self.status is not None and self.status < 0
        return f"signal {-(self.status or 0)}" if signalled else f"exit status {self.status}"

    def ask_to_leave(self) -> None:
        """Asks it to save where it stands and to end."""
        if not self.leaving:
            self.leaving = True
            with contextlib.suppress(OSError):  # it has ended meanwhile, which is heard soon
                self.lines.send({"leave": True})

    def close(self) -> None:
        """Closes what is open, and removes what it has left in its folder."""
        self.lines.close()
        self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)
