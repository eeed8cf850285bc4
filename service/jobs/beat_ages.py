"""How old the newest beat of each service is, by the clock of the process that observes it; clocks are never compared."""

import time
from collections.abc import Callable, Mapping


class BeatAges:
    """The view of one observer.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}  # the last count of each service, and when it was first seen

    def of(self, beats: Mapping[str, int]) -> dict[str, float]:
        """The age of each service's newest beat in seconds, from how often each has beaten; 0 for one that is new."""
        now = self._clock()
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in beats.items()
        }
        return {owner: now - since for owner, (_, since) in self._seen.items()}
