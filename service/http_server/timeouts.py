"""Checks the time limits of all connections of a server together, twice a second, so that no request needs a timer."""

import asyncio
import resource
from collections import OrderedDict
from typing import Protocol

CHECK_INTERVAL = 0.5  # seconds
CHECKED_AT_ONCE = 10  # connections that are checked before other callbacks of the event loop run
CLOSED_AT_ONCE = 4  # of them that are closed: closing one takes as long as checking dozens
FIRST_BYTE_SECONDS = 8.5


class Idle(Protocol):
    """A connection that has received no bytes yet."""

    def close_idle(self) -> None:
        """Closes it: its first byte has not come in time."""


class Active(Protocol):
    """A connection that has received bytes."""

    def check_timeouts(self, now: float) -> bool:
        """Closes the connection if a limit has passed at the time `now`, in seconds of the loop, and returns whether it did."""


def most_connections() -> int:
    """The limit on connections. It leaves file descriptors for the service itself, such as its journal."""
    return max(64, min(16_384, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 512))


class Timeouts:
    """Checks the connections of one server while there are any.

    Idle connections expire in the order in which they were added, so that only the oldest of them is checked.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.most = most_connections()
        self._loop = loop
        self._idle: OrderedDict[Idle, float] = OrderedDict()  # with the time at which each was added
        self._active: set[Active] = set()
        self._scheduled = False

    def add_idle(self, connection: Idle) -> None:
        """Starts the time limit of the first byte."""
        self._idle[connection] = self._loop.time()
        self._schedule()

    def remove_idle(self, connection: Idle) -> None:
        """Ends that limit: the first byte has come, or the connection is lost."""
        self._idle.pop(connection, None)

    def add(self, connection: Active) -> None:
        """Checks an active connection from now on."""
        self._active.add(connection)
        self._schedule()

    def remove(self, connection: Active) -> None:
        """Stops checking a connection."""
        self._active.discard(connection)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(CHECK_INTERVAL, self._check)

    def _check(self) -> None:
        self._scheduled = bool(self._idle or self._active)
        if self._scheduled:
            self._check_some(list(self._active))

    def _check_some(self, left: list[Active]) -> None:
        now = self._loop.time()
        oldest = next(iter(self._idle), None)
        if oldest is not None and now - self._idle[oldest] >= FIRST_BYTE_SECONDS:
            del self._idle[oldest]
            oldest.close_idle()  # one at a time: thousands may expire at once
            self._loop.call_soon(self._check_some, left)
            return
        closed = 0
        for _ in range(min(CHECKED_AT_ONCE, len(left))):
            connection = left.pop()
            closed += connection in self._active and connection.check_timeouts(now)
            if closed == CLOSED_AT_ONCE:
                break
        if left:
            self._loop.call_soon(self._check_some, left)
        else:
            self._loop.call_later(CHECK_INTERVAL, self._check)
