"""How old the newest beat of each service is, as this process has seen it rise: no clock but its own is asked."""

import time
from collections.abc import Mapping


class BeatAges:
    """One observer's view. The beat of a service that was never seen before is new."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}  # the last beat of each, and since when

    def of(self, beats: Mapping[str, int]) -> dict[str, float]:
        """The age of each service's newest beat in seconds, from what each has counted by now."""
        now = time.monotonic()
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in beats.items()
        }
        return {owner: now - since for owner, (_, since) in self._seen.items()}
