"""Busy polling: after an answer the event loop stays awake for a moment, where one client asks again and again.

Waking up costs more than a small prediction: the system's own work, and caches that have gone cold. A client that sends its
next request as soon as it has its answer finds the loop awake. Where requests come seldom nobody polls, and not where
several wait at once either: they had better share a forward.
"""

import asyncio
from time import perf_counter

MOMENT = 0.0001  # seconds; some twice what it takes to wake up


class BusyPoll:
    """Of one event loop."""

    def __init__(self) -> None:
        self._answered = 0.0  # when the last answer was given
        self._asked = 0  # requests since then
        self._soon = False  # whether the first one after the answer before came soon
        self._looks = False

    def asked(self) -> None:
        """A request has come."""
        self._asked += 1
        if self._asked == 1:
            self._soon = perf_counter() - self._answered < MOMENT

    def answered(self, loop: asyncio.AbstractEventLoop) -> None:
        """An answer was given."""
        alone, self._asked = self._asked == 1, 0
        self._answered = perf_counter()
        if alone and self._soon and not self._looks:
            self._looks = True
            loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Lets the loop look at its connections without going to sleep."""
        self._looks = not self._asked and perf_counter() - self._answered < MOMENT
        if self._looks:
            loop.call_soon(self._look, loop)
