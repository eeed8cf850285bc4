"""What the operator allows an attempt to take while it runs."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from service.jobs.process_tree import memory
from service.jobs.running import Running


@dataclass(frozen=True)
class AttemptLimits:
    """Bytes of memory of one attempt and the processes below it, and seconds; None for no limit."""

    memory_bytes: int | None = None
    seconds: float | None = None

    def exceeded(self, running: Running, pid: int | None) -> dict[str, Any] | None:
        """The error of an attempt that has taken more; None while it has not."""
        if self.seconds is not None and time.monotonic() - running.began > self.seconds:
            return {"code": "time_limit", "detail": f"the training ran for longer than the {self.seconds:g} s it may"}
        if self.memory_bytes is not None and pid is not None and (taken := memory(pid)) > self.memory_bytes:
            detail = f"the training took {taken} bytes of memory; this service allows {self.memory_bytes}"
            return {"code": "out_of_memory", "detail": detail}
        return None


def memory_there_is(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The bytes of memory of the machine, or of the container if it was given less (cgroup v2)."""
    total: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no container, or none with a limit: `max`
        return min(total, int(limit.read_text()))
    return total
