"""Heartbeats of child processes: one a second; after five seconds without one a child is killed. The duration of its whole
work is limited elsewhere."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

import psutil

BEAT = 1.0  # seconds between two heartbeats
SILENCE = 5.0  # seconds without one after which a process counts as hanging
LOOK = 0.5  # seconds between two checks by a parent
PR_SET_PDEATHSIG = 1


class Liveness:
    """The heartbeats of a child process, as its parent sees them.

    Only time in which the parent itself was running counts: while it is stopped it cannot read heartbeats.

    Args:
        pid: of a child whose native code may hold the interpreter lock, so that it sends no heartbeats: using CPU time then
            counts as a sign of life. None for a child without such code.
        silence: seconds without a heartbeat after which it stands still; `SILENCE` if None.
    """

    def __init__(self, pid: int | None = None, *, silence: float | None = None) -> None:
        self._pid = pid
        self._most = SILENCE if silence is None else silence
        self._silent = self._used = 0.0  # seconds
        self._looked = time.monotonic()

    def heard(self) -> None:
        """Call when a heartbeat or a message has arrived."""
        self._silent, self._looked = 0.0, time.monotonic()

    def stands_still(self) -> bool:
        """Whether the child has shown no sign of life for `SILENCE` seconds. Call it at least every second."""
        now = time.monotonic()
        self._silent += min(now - self._looked, 2 * LOOK)
        self._looked = now
        if self._pid is not None and (used := _processor_time(self._pid)) != self._used:
            self._used, self._silent = used, 0.0
        return self._silent >= self._most


def beat(descriptor: int) -> None:
    """Starts a thread that writes a heartbeat to the pipe every second, and ends this process if the pipe is closed."""
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
    """On Linux, has the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _processor_time(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:  # it has ended, which is found out elsewhere
        return -1.0
    used: float = times.user + times.system
    return used
