"""The statistics of a column of images or videos, in its schema."""

from collections import Counter
from typing import Any, Protocol


class _Facts(Protocol):
    """`ImageFacts` or `VideoFacts`."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def frames(self) -> int: ...


class PictureSurvey:
    """Counts the files of a column."""

    def __init__(self) -> None:
        self._formats: Counter[str] = Counter()
        self._grey = 0
        self._sizes: dict[str, Counter[int]] = {"height": Counter(), "width": Counter(), "frames": Counter()}

    def add(self, facts: _Facts) -> None:
        """Adds a file that was checked."""
        self._formats[facts.format.lower()] += 1
        self._grey += facts.channels == 1
        for name, counter in self._sizes.items():
            counter[getattr(facts, name)] += 1

    def statistics(self) -> dict[str, Any]:
        """`height`, `width` and `frames`, each with `min`, `median` and `max`; `grey`, the number of files without colours;
        `formats`, the number of files of each, in lower case. Empty if there are no files."""
        if not self._formats:
            return {}
        sizes = {name: _spread(counter) for name, counter in self._sizes.items()}
        return {**sizes, "grey": self._grey, "formats": dict(sorted(self._formats.items()))}


def _spread(counter: Counter[int]) -> dict[str, int]:
    values, before, half = sorted(counter), 0, (counter.total() + 1) // 2
    for median in values:
        before += counter[median]
        if before >= half:
            break
    return {"min": values[0], "median": median, "max": values[-1]}
