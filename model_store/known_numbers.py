"""The highest number of a name, remembered, so that it is found without a list of all."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LISTED_AFTER = 60.0  # seconds


@dataclass
class KnownNumbers:
    """The `highest` used number as of the last question.

    Numbers are used one after the other, and a number stays used. So the highest is found by trying the next ones. It is listed
    again after a minute, in case the store was changed by other means.
    """

    highest: int = 0
    _listed_at: float = float("-inf")

    def find_highest(self, listed: Callable[[], int], is_used: Callable[[int], bool]) -> int:
        """The highest used number; 0 if none is."""
        if self.highest == 0 or time.monotonic() - self._listed_at > LISTED_AFTER:
            moment = time.monotonic()
            self.highest = listed()
            self._listed_at = moment
            return self.highest
        highest = self.highest
        while is_used(highest + 1):
            highest += 1
        self.highest = highest
        return highest
