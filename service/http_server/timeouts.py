"""Looks: again and again, whether a connection waits for its client too long. Time is looked at twice a second for all of them
together, so that a request costs no timer."""

import asyncio
import resource
from collections import OrderedDict
from typing import Protocol

BETWEEN_LOOKS = 0.5
LOOKED_AT_ONCE = 10  # connections that are looked at before others have their turn
ENDED_AT_ONCE = 4  # of them that are ended; this takes as long as dozens of looks
SILENT_SECONDS = 8.5  # before the first byte


class Silent(Protocol):
    """Who has never heard anything."""

    def end_silence(self) -> None:
        """It has lasted too long."""


class Patient(Protocol):
    """Who waits for a client, but not for ever."""

    def look(self, now: float) -> bool:
        """Ends what has waited too long; whether it had."""


def most_connections() -> int:
    """As many as leave files enough for the service itself: past the system's limit even its journal could not be opened."""
    return max(64, min(16_384, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 512))


class Looks:
    """At the connections of a server, as long as there are any. Those that have never heard anything only wait for their end,
    in the order in which they came, and are not looked at before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.most = most_connections()
        self._loop = loop
        self._silent: OrderedDict[Silent, float] = OrderedDict()  # and when each came
        self._others: set[Patient] = set()
        self._go_on = False

    def silent(self, connection: Silent) -> None:
        """A connection is there."""
        self._silent[connection] = self._loop.time()
        self._begin()

    def broken(self, silence: Silent) -> None:
        """It is no longer silent, or no longer there."""
        self._silent.pop(silence, None)

    def watch(self, connection: Patient) -> None:
        """A connection on which something has come."""
        self._others.add(connection)
        self._begin()

    def lost(self, connection: Patient) -> None:
        """It is there no more."""
        self._others.discard(connection)

    def _begin(self) -> None:
        if not self._go_on:
            self._go_on = True
            self._loop.call_later(BETWEEN_LOOKS, self._round)

    def _round(self) -> None:
        self._go_on = bool(self._silent or self._others)
        if self._go_on:
            self._look(list(self._others))

    def _look(self, left: list[Patient]) -> None:
        now = self._loop.time()
        silent = next(iter(self._silent), None)
        if silent is not None and now - self._silent[silent] >= SILENT_SECONDS:
            del self._silent[silent]
            silent.end_silence()  # these come and go by thousands: one at a time
            self._loop.call_soon(self._look, left)
            return
        ended = 0
        for _ in range(min(LOOKED_AT_ONCE, len(left))):
            connection = left.pop()
            ended += connection in self._others and connection.look(now)
            if ended == ENDED_AT_ONCE:
                break
        if left:
            self._loop.call_soon(self._look, left)
        else:
            self._loop.call_later(BETWEEN_LOOKS, self._round)
