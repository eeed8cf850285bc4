"""Starts requests a few per iteration of the event loop: when many arrive together, a short one need not wait until all others
have been started."""

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 8  # requests that are started in one iteration of the event loop: some two milliseconds

Start = Callable[[], None]


class FairStart:
    """The queue of requests that wait to be started on one event loop, in the order of their arrival."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Start] = deque()
        self._started = 0  # in this iteration

    def start(self, start: Start) -> None:
        """Calls `start` now, or in one of the next iterations of the loop."""
        if self._started == AT_ONCE:
            self._waiting.append(start)
            return
        if not self._started:
            self._loop.call_soon(self._start_next)
        self._started += 1
        start()

    def _start_next(self) -> None:
        self._started = min(AT_ONCE, len(self._waiting))
        if self._started:
            self._loop.call_soon(self._start_next)
        for _ in range(self._started):
            self._waiting.popleft()()
