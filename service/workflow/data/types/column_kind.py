"""What a type of columns must be able to do. One file a type, one line in the table of `types/__init__.py`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.how import How
from service.workflow.data.types.names import ColumnType
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

SPACE = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff"


class ColumnKind(ABC):
    """A type of columns: how it is inferred from texts, read from a column and from a single value, and encoded."""

    name: ClassVar[ColumnType]
    slots: ClassVar[int] = 1  # of a raw row that the model takes

    @abstractmethod
    def fits(self, evidence: "Evidence") -> "str | None":
        """Why every text of a column that is not missing stands for such a value; None where one does not."""

    @abstractmethod
    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """The values of a column as floats, or as texts for categories; null where one is missing, or is none."""

    @abstractmethod
    def wanted(self, how: How) -> str:
        """What a value of the type is, as messages say what would be right."""

    @abstractmethod
    def from_value(self, value: Any, how: How) -> float | str | None:
        """A value of JSON as its column keeps it, None for a missing one.

        Raises:
            ValueError: it is of another type; the message says what would be right.
        """

    @abstractmethod
    def from_text(self, text: str, how: How) -> float | str | None:
        """What a text stands for in a file or a query, None for a missing value.

        Raises:
            ValueError: it stands for none; the message says what would be right.
        """

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """The slots of a raw row, each [n], NaN where the value is missing; of numbers they themselves."""
        assert not isinstance(column, Texts)  # noqa: S101 - it was read as numbers
        return [column]


def is_missing(text: str, how: How) -> bool:
    """Whether a text stands for a missing value."""
    stripped = text.strip(SPACE)
    return not stripped or stripped in how.missing


def present(series: "pl.Series", how: How) -> "pl.Series":
    """Whether each value of a column is there [n]."""
    import polars as pl

    if series.dtype == pl.String:
        if not how.trim:
            return series.is_not_null()
        text = series.str.strip_chars(SPACE)
        there = series.is_not_null() & (text != "").fill_null(False)
        return there & ~text.is_in(sorted(how.missing)).fill_null(False) if how.missing else there
    if series.dtype.is_numeric():
        return numbers(series, how).is_not_null()
    return series.is_not_null()


def numbers(series: "pl.Series", how: How) -> "pl.Series":
    """A column of numbers as Float64, null where one is missing, infinite or a word for none."""
    import polars as pl

    values = series.cast(pl.Float64)
    there = values.is_finite()
    if how.missing_numbers:
        there &= ~values.is_in(sorted(how.missing_numbers))
    return pl.select(pl.when(there).then(values)).to_series()


def stripped(series: "pl.Series", how: How) -> "pl.Series":
    """The texts without the spaces around them; null where one is missing."""
    import polars as pl

    texts = series.str.strip_chars(SPACE) if how.trim else series
    there = present(series, how)
    return texts if bool(there.all()) else pl.select(pl.when(there).then(texts)).to_series()


def expected(what: str, value: object) -> ValueError:
    """An error that says what would be right."""
    return ValueError(f"expected {what}, not {shown(value)}")
