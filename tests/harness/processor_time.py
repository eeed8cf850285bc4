"""The processor time of a function, where a test says that a hostile request is cheap."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
RUNS = 3


def cheap(run: Callable[[], T], most: float) -> T:
    """The result of a run that took at most so many processor seconds, of up to three: a busy machine slows single ones down.
    Only the calling thread counts, since others of the process may be left from other tests."""
    spent = []
    for _ in range(RUNS):
        began = time.thread_time()
        result = run()
        spent.append(time.thread_time() - began)
        if spent[-1] <= most:
            return result
    raise AssertionError(f"took {min(spent):.2f} s of the processor, and may take {most}")
