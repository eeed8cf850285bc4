"""What the operator allows an attempt to use while it runs."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from service.jobs.running_attempt import RunningAttempt


@dataclass(frozen=True)
class AttemptLimits:
    """The limits of one attempt and the processes that it has started; None for no limit. With less free disk space nothing
    can be committed any more, not even a cancel: then an attempt with more temporary files is ended."""

    memory_bytes: int | None = None
    seconds: float | None = None
    free_disk_bytes: float = 32 * 2**20
    temporary_bytes: int = 64 * 2**20

    def exceeded(self, running: RunningAttempt) -> bool:
        """Whether an attempt is past a limit; then its error is set, or the error that it is put off for."""
        usage = running.handle.usage()
        if usage is None:
            return False
        if self.seconds is not None and time.monotonic() - running.began > self.seconds:
            detail = f"the training ran for longer than the {self.seconds:g} s it may"
            running.error = {"code": "time_limit", "detail": detail}
        elif self.memory_bytes is not None and usage.memory_bytes > self.memory_bytes:
            detail = f"the training took {usage.memory_bytes} bytes of memory; this service allows {self.memory_bytes}"
            running.error = {"code": "out_of_memory", "detail": detail}
        elif (
            usage.free_disk_bytes < self.free_disk_bytes
            and (taken := running.handle.temporary_bytes()) > self.temporary_bytes
        ):
            detail = f"the disk is full, and {taken} bytes of it are temporary files of the training"
            running.put_off = {"code": "no_space", "detail": detail}
        else:
            return False
        return True


def memory_there_is(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The bytes of memory of the machine, or of the container if it was given less (cgroup v2)."""
    total: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit: `max`
        return min(total, int(limit.read_text()))
    return total
