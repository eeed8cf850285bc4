"""Liveness of child processes: they send a heartbeat once a second, and are killed after five seconds without one.

Their total time is limited elsewhere.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

import psutil

BEAT = 1.0  # seconds between two heartbeats
HUNG_AFTER = 5.0  # seconds without one after which a process counts as hung
CHECK_SECONDS = 0.5  # seconds between two checks of a parent
PR_SET_PDEATHSIG = 1


class Liveness:
    """A parent's record of a child's heartbeats.

    Only time in which the parent itself was running counts: while it was stopped it could not read heartbeats.

    Args:
        pid: of a child that may be busy in native code, which delays heartbeats: then use of the processor counts as one.
            None for a child that is never that busy.
        hung_after: seconds without a heartbeat after which it counts as hung; `HUNG_AFTER` if None.
    """

    def __init__(self, pid: int | None = None, *, hung_after: float | None = None) -> None:
        self._pid = pid
        self._most = HUNG_AFTER if hung_after is None else hung_after
        self._since_heartbeat = self._used = 0.0  # seconds
        self._last_check = time.monotonic()

    def received(self) -> None:
        """The child has sent something."""
        self._since_heartbeat, self._last_check = 0.0, time.monotonic()

    def is_hung(self) -> bool:
        """Whether it has sent no heartbeat for that long. To be called at least once a second."""
        now = time.monotonic()
        self._since_heartbeat += min(now - self._last_check, 2 * CHECK_SECONDS)
        self._last_check = now
        if self._pid is not None and (used := _processor_time(self._pid)) != self._used:
            self._used, self._since_heartbeat = used, 0.0
        return self._since_heartbeat >= self._most


def beat(descriptor: int) -> None:
    """Sends a heartbeat once a second, from a thread, and ends this process once the other end is closed."""
    os.set_blocking(descriptor, False)

    def each_second() -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                try:
                    os.write(descriptor, b".")
                except BrokenPipeError:
                    os._exit(1)
            time.sleep(BEAT)

    threading.Thread(target=each_second, name="heartbeat", daemon=True).start()


def die_with(parent: int) -> None:
    """Asks Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _processor_time(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:  # it has ended, which the caller notices otherwise
        return -1.0
    used: float = times.user + times.system
    return used
