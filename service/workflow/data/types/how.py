"""How the texts of a column represent its values."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SPACE = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff"


@dataclass(frozen=True)
class How:
    """How the texts of one column represent values: the words for a missing one, besides an empty text; the decimal point;
    the format of dates; and whether spaces around a text are removed."""

    missing: frozenset[str] = frozenset()
    decimal: str = "."
    date_format: str | None = None
    trim: bool = True

    @cached_property
    def missing_numbers(self) -> frozenset[float]:
        """The words for a missing value that are numbers, such as -999."""
        return frozenset(filter(math.isfinite, map(_number, self.missing)))

    def is_missing(self, text: str) -> bool:
        """Whether a text stands for a missing value."""
        stripped = text.strip(SPACE)
        return not stripped or stripped in self.missing

    def present(self, series: "pl.Series") -> "pl.Series":
        """Whether each value of a column is not missing [n]."""
        import polars as pl

        if series.dtype == pl.String:
            if not self.trim:
                return series.is_not_null()
            text = series.str.strip_chars(SPACE)
            there = series.is_not_null() & (text != "").fill_null(False)
            return there & ~text.is_in(sorted(self.missing)).fill_null(False) if self.missing else there
        if series.dtype.is_numeric():
            return self.numbers(series).is_not_null()
        return series.is_not_null()

    def numbers(self, series: "pl.Series") -> "pl.Series":
        """A column of numbers as Float64, null where one is missing, infinite or a word for a missing value."""
        import polars as pl

        values = series.cast(pl.Float64)
        there = values.is_finite()
        if self.missing_numbers:
            there &= ~values.is_in(sorted(self.missing_numbers))
        return pl.select(pl.when(there).then(values)).to_series()

    def stripped(self, series: "pl.Series") -> "pl.Series":
        """The texts without the spaces around them; null where one is missing."""
        import polars as pl

        texts = series.str.strip_chars(SPACE) if self.trim else series
        there = self.present(series)
        return texts if bool(there.all()) else pl.select(pl.when(there).then(texts)).to_series()


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


PLAIN = How()
