"""Leases: a service that runs jobs says again and again that it lives. One that falls silent loses them.

Only clocks of one machine are compared, and only those that never jump: a service counts how long *it* has not seen
another's beat change. Its own attempts end before another may begin them (Gray and Cheriton, "Leases", SOSP 1989).
"""

import time

from service.jobs.dispatch import Dispatch
from service.jobs.ownership import Ownership

BEAT = 1.0  # seconds between two signs of life
ALLOWED = 5.0  # seconds that attempts may go on after the last one
EXPIRED = 8.0  # seconds of silence after which another service takes over


class Leases:
    """This service's lease on its jobs, and its view of those of others."""

    def __init__(self, dispatch: Dispatch, ownership: Ownership) -> None:
        self._dispatch = dispatch
        self._ownership = ownership
        self._renewed = float("-inf")
        self._seen: dict[str, tuple[int, float]] = {}  # the last beat of each other service, and since when

    def renew(self) -> float | None:
        """Until when attempts may go on, by the monotonic clock, if it was time to say that this service lives.

        Raises:
            JournalUnavailable: it could not be said.
        """
        now = time.monotonic()
        if now - self._renewed < BEAT:
            return None
        self._dispatch.beat(self._ownership.owner)
        self._renewed = now  # the moment before: others may have seen the beat at once
        return now + ALLOWED

    def expired(self) -> list[str]:
        """The services that run jobs and are dead, or have been silent for too long."""
        now, beats = time.monotonic(), self._dispatch.beats()
        beats.pop(self._ownership.owner, None)
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in beats.items()
        }
        return [
            owner for owner, (_, since) in self._seen.items() if now - since > EXPIRED or self._ownership.dead(owner)
        ]
