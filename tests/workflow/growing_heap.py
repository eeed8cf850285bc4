"""A process whose heap gets holes: prints how many of their bytes are resident at first, and waits until half are not."""

import ctypes
import sys

from service.workflow.heap import anonymous_bytes, trimmed_heap
from tests.harness.until import until

BLOCK, COUNT = 60_000, 4000  # bytes, below glibc's threshold for memory of its own


def main() -> None:
    """Allocates blocks, and frees all but the last, which holds the end of the heap."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    with trimmed_heap():
        before = anonymous_bytes()
        blocks = [libc.malloc(BLOCK) for _ in range(COUNT)]
        for block in blocks:
            ctypes.memset(block, 1, BLOCK)
        sys.stdout.write(f"{anonymous_bytes() - before}\n")
        for block in blocks[:-1]:
            libc.free(block)
        until(lambda: anonymous_bytes() - before < BLOCK * COUNT / 2)


if __name__ == "__main__":
    main()
