"""Turns: of many requests that come at once, a few are begun in each turn of the event loop. So one that is answered in a
moment does not wait until all of them have been looked at."""

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 8  # requests that are begun in one turn: some two milliseconds

Begin = Callable[[], None]


class Turns:
    """Of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Begin] = deque()
        self._begun = 0  # in this turn

    def begin(self, begin: Begin) -> None:
        """Begins at once, or in its turn."""
        if self._begun == AT_ONCE:
            self._waiting.append(begin)
            return
        if not self._begun:
            self._loop.call_soon(self._next)
        self._begun += 1
        begin()

    def _next(self) -> None:
        self._begun = min(AT_ONCE, len(self._waiting))
        if self._begun:
            self._loop.call_soon(self._next)
        for _ in range(self._begun):
            self._waiting.popleft()()
