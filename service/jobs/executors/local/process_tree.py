"""The processes below an attempt: what they use, and how they are killed with it.

Each attempt leads a session of its own, and the trainer server adopts every process whose parent has ended (it is a
subreaper). So no process escapes, not even one that starts a session of its own.
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
    """Makes this process the parent of every orphan below it. On Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_strays(attempts: set[int]) -> None:
    """Kills the children of this process that neither are attempts nor belong to the session of one. Their own children
    become this process's: to be called again whenever a child has ended."""
    for pid in (child.pid for child in psutil.Process().children()):
        if pid not in attempts:
            with contextlib.suppress(OSError):  # it has just ended
                if os.getsid(pid) not in attempts:
                    os.kill(pid, signal.SIGKILL)


def kill_session(leader: int) -> None:
    """Kills all processes of a session, and its leader even if it has not created the session yet."""
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(leader, signal.SIGKILL)


def memory(pid: int) -> int:
    """Bytes of memory that a process and all below it use; 0 when it has ended. Memory that a child shares with others counts
    in proportion, so that a fork alone adds almost nothing. Pages of files do not count where the kernel tells them apart: it
    can drop them, and reads them again."""
    used = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        below = process.children(recursive=True)
        used = _own(process)
        for child in below:
            with contextlib.suppress(psutil.Error):
                used += _share(child)
    return used


def files(folder: Path, pid: int | None) -> int:
    """Bytes of disk that the files in a folder take, and the unlinked files that a process and all below it have open."""
    taken = sum(_blocks(Path(at, name)) for at, _, names in os.walk(folder) for name in names)
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid) if pid is not None else None
        for each in [process, *process.children(recursive=True)] if process is not None else []:
            taken += sum(_blocks(path, unlinked=True) for path in Path(f"/proc/{each.pid}/fd").glob("*"))
    return taken


def _blocks(path: Path, *, unlinked: bool = False) -> int:
    with contextlib.suppress(OSError):  # it has just gone
        about = path.stat()
        if stat.S_ISREG(about.st_mode) and not (unlinked and about.st_nlink):
            return about.st_blocks * 512
    return 0


def _own(process: psutil.Process) -> int:
    """Resident bytes that are no pages of files."""
    return _sum_of(Path(f"/proc/{process.pid}/status"), ("RssAnon:", "RssShmem:"), process)


def _share(process: psutil.Process) -> int:
    """The same, where pages that processes share count in proportion."""
    return _sum_of(Path(f"/proc/{process.pid}/smaps_rollup"), ("Pss_Anon:", "Pss_Shmem:"), process)


def _sum_of(path: Path, fields: tuple[str, ...], process: psutil.Process) -> int:
    """The sum of these fields of a file below /proc; all resident bytes on systems and kernels without it."""
    with contextlib.suppress(OSError, ValueError):
        lines = path.read_text().splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith(fields)]
        if len(found) == len(fields):
            return sum(found)
    rss: int = process.memory_info().rss
    return rss
