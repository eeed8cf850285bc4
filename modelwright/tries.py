"""How often, and after which pauses, a transfer goes on after failures that may pass."""

from modelwright.errors import ApiError, ModelwrightError, Unreachable
from modelwright.steps import Pause

IN_A_ROW = 9  # without any progress: some 50 seconds
IN_ALL = 100
FIRST_SECONDS, LONGEST_SECONDS = 0.2, 15.0
LONGEST_RETRY_AFTER = 60.0
PASSING = frozenset({408, 429, 502, 503, 504})  # statuses


class Tries:
    """The failures of one transfer."""

    def __init__(self) -> None:
        self._row = self._all = 0

    def progressed(self) -> None:
        """To be called when something has arrived: the next failure is the first in a row."""
        self._row = 0

    def failed(self, error: ModelwrightError, also: frozenset[int] = frozenset()) -> Pause:
        """The pause after which to try again: it doubles with each failure in a row, or is the one that the service asks for.

        Args:
            error: what happened.
            also: statuses that may pass, beside the usual ones.

        Raises:
            ModelwrightError: the error itself, if it does not pass, or there were too many.
        """
        passes = isinstance(error, Unreachable) or (
            isinstance(error, ApiError) and (error.status in PASSING or error.status in also)
        )
        if not passes or self._row >= IN_A_ROW or self._all >= IN_ALL:
            raise error
        seconds = min(FIRST_SECONDS * 2**self._row, LONGEST_SECONDS)
        self._row, self._all = self._row + 1, self._all + 1
        asked = error.retry_after if isinstance(error, ApiError) else None
        return Pause(max(seconds, min(asked or 0.0, LONGEST_RETRY_AFTER)))
