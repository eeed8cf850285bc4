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
# glibc's names of what `mallopt` sets: from which size on a block is mapped by itself, and how much free memory is kept.
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
KEPT = 32 * 2**20  # the largest size that glibc takes on its own
STATUS = Path("/proc/self/status")


class Heap:
    """The heap of this process, from when this is made on.

    Args:
        trim: `malloc_trim` of the C library.
    """

    def __init__(self, trim: Callable[[int], int]) -> None:
        self._trim = trim
        self._used = anonymous_bytes()
        self._trimmed = False

    def give_back(self) -> None:
        """Gives back what is free, if the process has grown; to be called again and again."""
        now = anonymous_bytes()
        if self._trimmed:
            self._used, self._trimmed = now, False  # the work has taken again what it uses
        elif now > GROWN * self._used + MORE:
            self._trim(0)
            self._trimmed = True


@contextmanager
def trimmed_heap() -> Iterator[None]:
    """Gives memory that is not used back to the system, in a thread, whenever the process has grown. Does nothing where the C
    library is not glibc."""
    trim = malloc_trim()
    if trim is None or not STATUS.exists():
        yield
        return
    heap, ended = Heap(trim), Event()

    def repeat() -> None:
        while not ended.wait(BETWEEN):
            heap.give_back()

    thread = Thread(target=repeat, name="heap", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def keep_blocks() -> None:
    """Keeps freed blocks of megabytes for the next ones, as glibc does by itself once a block of 32 MiB has been freed. Before
    that it gives their pages back, and takes new ones in every step. Does nothing where the C library is not glibc."""
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    mallopt(MMAP_THRESHOLD, KEPT)
    mallopt(TRIM_THRESHOLD, 2 * KEPT)


def anonymous_bytes() -> int:
    """The resident memory of this process that is no page of a file."""
    found = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return 1024 * int(found.split()[1])


def malloc_trim() -> Callable[[int], int] | None:
    """The function of glibc; None where the C library is another."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    return trim
