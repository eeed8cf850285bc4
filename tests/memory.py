"""Measurement of the memory that a process takes during a block."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

BETWEEN_LOOKS = 0.001  # seconds


@dataclass
class Growth:
    """The peak growth of a process in bytes."""

    bytes: int = 0


@contextmanager
def growth_of(process: psutil.Process) -> Iterator[Growth]:
    """Measure the growth of resident memory during the block; read the result after it."""
    growth, over, before = Growth(), threading.Event(), process.memory_info().rss

    def measure() -> None:
        while not over.wait(BETWEEN_LOOKS):
            growth.bytes = max(growth.bytes, process.memory_info().rss - before)

    looking = threading.Thread(target=measure)
    looking.start()
    try:
        yield growth
    finally:
        over.set()
        looking.join()
