"""The highest number of each name, remembered, so that it is found without a list of all."""

import time
from collections.abc import Callable

LISTED_AFTER = 60.0  # seconds


class KnownNumbers:
    """The highest used number of each name that has one, as of the last question.

    Numbers are used one after the other, and a number stays used. So the highest is found by trying the next ones. It is listed
    again after a minute, in case the store was changed by other means.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}

    def find_highest(self, name: str, listed: Callable[[], int], is_used: Callable[[int], bool]) -> int:
        """The highest used number; 0 if none is."""
        highest, listed_at = self._known.get(name, (0, 0.0))
        now = time.monotonic()
        if highest == 0 or now - listed_at > LISTED_AFTER:
            highest, listed_at = listed(), now
        else:
            while is_used(highest + 1):
                highest += 1
        if highest:
            self._known[name] = (highest, listed_at)
        return highest
