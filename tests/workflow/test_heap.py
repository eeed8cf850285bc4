"""Memory that a process has freed is given back to the system while it works."""

import ctypes
import subprocess
import sys

import pytest

from tests.workflow.growing_heap import BLOCK, COUNT


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_holes_in_the_heap_are_given_back() -> None:
    """In a process of its own: one with much memory is trimmed only when it has grown by much."""
    command = [sys.executable, "-m", "tests.workflow.growing_heap"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)  # noqa: S603
    before, after = map(int, found.stdout.split())
    assert after < BLOCK * COUNT / 4 < BLOCK * COUNT / 2 < before
