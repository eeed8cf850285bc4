"""Memory that glibc keeps of freed blocks.

glibc (2.36 does) may not find the holes that aligned blocks leave, which are all that torch allocates, and takes new memory
beside them (https://sourceware.org/bugzilla/show_bug.cgi?id=14581). So a training that repeats the same step can grow by
hundreds of megabytes, of which it uses none. `malloc_trim` gives their pages back.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

BETWEEN = 0.25  # seconds
# Trimmed when it has grown by these since the last time, so that what a step needs is not given back in vain.
GROWN, MORE = 1.25, 64 * 2**20  # times, and bytes
STATUS = Path("/proc/self/status")


@contextmanager
def trimmed_heap() -> Iterator[None]:
    """Gives memory that is not used back to the system, in a thread, whenever the process has grown. Does nothing where the C
    library is not glibc."""
    trim = _malloc_trim()
    if trim is None or not STATUS.exists():
        yield
        return
    ended = Event()
    thread = Thread(target=_trim_when_grown, args=(trim, ended), name="heap", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _trim_when_grown(trim: Callable[[int], int], ended: Event) -> None:
    used = anonymous_bytes()
    while not ended.wait(BETWEEN):
        if anonymous_bytes() > GROWN * used + MORE:
            trim(0)
            ended.wait(BETWEEN)  # the work takes again what it uses
            used = anonymous_bytes()


def anonymous_bytes() -> int:
    """The resident memory of this process that is no page of a file."""
    found = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return 1024 * int(found.split()[1])


def _malloc_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    return trim
