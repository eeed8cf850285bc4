"""For how long this process has not seen the beats of services rise: no clock but its own is asked."""

import time
from collections.abc import Mapping


class Silences:
    """One observer's view. One that was never seen before has been silent for no time at all."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}  # the last beat of each, and since when

    def of(self, beats: Mapping[str, int]) -> dict[str, float]:
        """The seconds of silence of each service, from what each has counted by now."""
        now = time.monotonic()
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in beats.items()
        }
        return {owner: now - since for owner, (_, since) in self._seen.items()}
