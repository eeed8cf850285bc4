"""What the operator allows an attempt to take while it runs."""

import contextlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from service.jobs.process_tree import files, memory
from service.jobs.running_attempt import Running

# Bytes of a disk; with less, who fills it has to go: nothing can be written down any more, not even a cancel.
LEAST_FREE = 32 * 2**20
MUCH = 64 * 2**20  # bytes of temporary files that nobody minds before


@dataclass(frozen=True)
class AttemptLimits:
    """Bytes of memory of one attempt and the processes below it, and seconds; None for no limit."""

    memory_bytes: int | None = None
    seconds: float | None = None

    def exceeded(self, running: Mapping[int, Running], pids: Mapping[int, int]) -> list[int]:
        """The attempts that have taken more, by their numbers; each knows why."""
        return [
            ticket
            for ticket, each in running.items()
            if ticket in pids and not each.killed and each.result is None and self._is_exceeded(each, pids[ticket])
        ]

    def _is_exceeded(self, running: Running, pid: int) -> bool:
        """Whether an attempt has taken more, or has filled the disk; then its error is noted, or what may pass."""
        if self.seconds is not None and time.monotonic() - running.began > self.seconds:
            detail = f"the training ran for longer than the {self.seconds:g} s it may"
            running.error = {"code": "time_limit", "detail": detail}
        elif self.memory_bytes is not None and (taken := memory(pid)) > self.memory_bytes:
            detail = f"the training took {taken} bytes of memory; this service allows {self.memory_bytes}"
            running.error = {"code": "out_of_memory", "detail": detail}
        elif _is_full(running.folder) and (taken := files(running.folder, pid)) > MUCH:
            detail = f"the disk is full, and {taken} bytes of it are temporary files of the training"
            running.put_off = {"code": "no_space", "detail": detail}
        else:
            return False
        return True


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):  # the attempt has just ended
        return shutil.disk_usage(folder).free < LEAST_FREE
    return False


def memory_there_is(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The bytes of memory of the machine, or of the container if it was given less (cgroup v2)."""
    total: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no container, or none with a limit: `max`
        return min(total, int(limit.read_text()))
    return total
