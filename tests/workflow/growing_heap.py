"""A process whose heap gets holes: prints how many bytes were resident for them, before and after they are given back."""

import ctypes
import sys

from service.workflow.heap import Heap, anonymous_bytes, malloc_trim

BLOCK, COUNT = 60_000, 4000  # bytes, below glibc's threshold for memory of its own


def main() -> None:
    """Allocates blocks, and frees all but the last, which holds the end of the heap."""
    trim, libc = malloc_trim(), ctypes.CDLL(None)
    assert trim is not None
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    heap, before = Heap(trim), anonymous_bytes()
    blocks = [libc.malloc(BLOCK) for _ in range(COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[:-1]:
        libc.free(block)
    grown = anonymous_bytes() - before
    heap.give_back()
    sys.stdout.write(f"{grown} {anonymous_bytes() - before}\n")


if __name__ == "__main__":
    main()
