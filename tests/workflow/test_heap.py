"""Memory that a process has freed is given back to the system while it works."""

import ctypes
import sys
import time

import pytest

from service.workflow.heap import anonymous_bytes, trimmed_heap

BLOCK, COUNT = 60_000, 4000  # bytes, below glibc's threshold for memory of its own


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_holes_in_the_heap_are_given_back() -> None:
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
        assert anonymous_bytes() > before + COUNT * BLOCK / 2
        for block in blocks[:-1]:  # the last one holds the end of the heap
            libc.free(block)
        deadline = time.monotonic() + 60
        while anonymous_bytes() > before + COUNT * BLOCK / 2:
            assert time.monotonic() < deadline, "nothing was given back"
            time.sleep(0.01)
        libc.free(blocks[-1])
