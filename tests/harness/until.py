"""Waiting for a condition, with an upper limit that only a failure reaches."""

import time
from collections.abc import Callable
from typing import Any


def until(reached: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Calls `reached` every 10 ms.

    Returns:
        Its first true value.

    Raises:
        AssertionError: it returned none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(0.01)
    return value
