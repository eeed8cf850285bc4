"""How the texts of a column stand for its values."""

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class How:
    """How the texts of one column stand for values: the words for a missing one, besides an empty text; what stands before
    the fraction of a number; the form of dates; and whether spaces around a text are its own."""

    missing: frozenset[str] = frozenset()
    decimal: str = "."
    date_format: str | None = None
    trim: bool = True

    @cached_property
    def missing_numbers(self) -> frozenset[float]:
        """The words for a missing value that are numbers, such as -999."""
        return frozenset(filter(math.isfinite, map(_number, self.missing)))


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


PLAIN = How()
