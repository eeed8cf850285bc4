"""The processes that an attempt has started, and those that they have: what they take, and that none of them outlives it.

Each attempt is the leader of a session of its own, and the trainer server is the reaper of all that it starts: whose parent
has ended becomes its child. So nobody gets away, not even by starting a session for himself.
"""

import contextlib
import ctypes
import os
import signal
import stat
import sys
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36


def reap_for_all() -> None:
    """From now on whatever is left of the processes below this one becomes its child. On Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_strays(attempts: set[int]) -> None:
    """Kills the children of this process that are no attempts and stand in no session of one that goes on. Theirs become
    this process's then: to be called again whenever a child has ended."""
    for pid in _children():
        if pid not in attempts:
            with contextlib.suppress(OSError):  # it has just ended
                if os.getsid(pid) not in attempts:
                    os.kill(pid, signal.SIGKILL)


def kill_session(leader: int) -> None:
    """Kills all processes of a session, its leader among them."""
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):  # an attempt that has not got so far as to have a session
        os.kill(leader, signal.SIGKILL)


def memory(pid: int) -> int:
    """The bytes of memory that a process and all below it have in use; 0 when it has ended. What a child shares with others
    counts by its share, so that a fork alone takes next to nothing."""
    try:
        process = psutil.Process(pid)
        taken: int = process.memory_info().rss
        below = process.children(recursive=True)
    except psutil.Error:
        return 0
    return taken + sum(map(_share, below))


def files(folder: Path, pid: int) -> int:
    """The bytes of disk that the files in a folder take, and those that a process and all below it have open without a name."""
    taken = sum(_blocks(Path(at, name)) for at, _, names in os.walk(folder) for name in names)
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            taken += sum(_blocks(path, nameless=True) for path in Path(f"/proc/{each.pid}/fd").glob("*"))
    return taken


def _blocks(path: Path, *, nameless: bool = False) -> int:
    with contextlib.suppress(OSError):  # it has just gone
        about = path.stat()
        if stat.S_ISREG(about.st_mode) and not (nameless and about.st_nlink):
            return about.st_blocks * 512
    return 0


def _children() -> list[int]:
    if sys.platform != "linux":
        return []
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return [each.pid for each in psutil.Process().children()]


def _share(process: psutil.Process) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    try:
        taken: int = process.memory_info().rss
    except psutil.Error:
        return 0
    return taken
