"""Looks: again and again, whether a connection waits for its client too long. Time is looked at twice a second for all of them
together, so that a request costs no timer."""

import asyncio
import resource
from typing import Any

BETWEEN_LOOKS = 0.5
LOOKED_AT_ONCE = 5  # connections that are looked at, and perhaps closed, before others have their turn


def most_connections() -> int:
    """As many as leave files enough for the service itself: past the system's limit even its journal could not be opened."""
    return max(64, min(16_384, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 512))


class Looks:
    """At every connection of a server, as long as there are any: each has a method `look`, which is told the time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: set[Any]) -> None:
        self.most = most_connections()
        self._loop = loop
        self._connections = connections
        self._goes_on = False

    def start(self) -> None:
        """Begins, if it does not look already."""
        if not self._goes_on:
            self._goes_on = True
            self._loop.call_later(BETWEEN_LOOKS, self._round)

    def _round(self) -> None:
        if self._connections:
            self._look(list(self._connections))
        else:
            self._goes_on = False

    def _look(self, left: list[Any]) -> None:
        now = self._loop.time()
        for each in left[-LOOKED_AT_ONCE:]:
            each.look(now)
        del left[-LOOKED_AT_ONCE:]
        if left:
            self._loop.call_soon(self._look, left)
        else:
            self._loop.call_later(BETWEEN_LOOKS, self._round)
