"""Numbers, also with thousands separators, a currency or a percent sign."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from service.workflow.data.precision import needs_float64
from service.workflow.data.schema import MOST_VALUES_KEPT, Column, Misfit
from service.workflow.data.table import Numbers
from service.workflow.data.types.column_type import ColumnType, TypeSurvey, expected
from service.workflow.data.types.how import SPACE, How
from service.workflow.data.types.names import Scalar
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

FLOAT64_MAX = float(np.finfo(np.float64).max)
EXACT = 2.0**53  # a float64 does not hold every whole number from here on
MOST_OF_JSON = 2**63  # JSON readers take no larger whole numbers: from here on they are texts or floats
NUMBERS_OR_MISSING = frozenset((int, float, type(None)))
CURRENCIES = "$€£¥₹"
_THOUSANDS = {".": ",", ",": "."}  # the usual thousands separator, by the decimal point
# With a decimal point, `555 123` may be a telephone number.
_OTHER_THOUSANDS = {".": "'’\u00a0\u202f", ",": "'’\u00a0\u202f "}
_PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
# Excludes most other texts at once.
_LIKE_A_NUMBER = rf"^[-+\u2212(0-9.,{CURRENCIES}][-+0-9.,eE'’\s{CURRENCIES}%()]*$"
LEADING_ZERO = r"^[+-]?0[0-9]"
_BEFORE = rf"^([+-]?)\s*[{CURRENCIES}]\s*([+-]?)"
_AFTER = rf"\s*[{CURRENCIES}%]$"
_NEGATIVE = r"^\((.*)\)$"  # accounting notation


class NumberSurvey(TypeSurvey):
    """Statistics of numbers; the whole numbers that a float64 does not hold; whether the numbers count the rows."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self.integer = self._consecutive = self._rising = True
        self._count = 0
        self._large: Counter[int] = Counter()  # those that a float64 does not hold
        self._low, self._high = math.inf, -math.inf
        self._mean = self._deviation = 0.0  # the population standard deviation
        self._first: float | None = None
        self._last = -math.inf

    def add_numbers(self, numbers: Numbers) -> None:
        """Merges mean and deviation by the method of Chan, Golub and LeVeque (1983), scaled so that squares stay finite."""
        if not len(numbers):
            return
        self.integer = self.integer and bool((numbers == np.floor(numbers)).all())
        low, high = float(numbers.min()), float(numbers.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        scale = max(abs(low), abs(high)) or 1.0
        mean = float((numbers / scale).mean()) * scale
        centred = np.abs(numbers - mean)
        largest = float(centred.max()) or 1.0
        deviation = math.sqrt(float(np.square(centred / largest).mean())) * largest
        ours, theirs = self._count, len(numbers)
        share = theirs / (ours + theirs)
        apart = mean - self._mean if ours else 0.0
        self._mean = self._mean + apart * share if ours else mean
        between = apart * math.sqrt(share * (1 - share))
        self._deviation = math.hypot(self._deviation * math.sqrt(1 - share), deviation * math.sqrt(share), between)
        self._count += theirs

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Whether the numbers count the rows, or increase from row to row; and those that a float64 does not hold."""
        numbers = values.fill_null(np.nan).to_numpy()
        if self._consecutive and len(numbers):
            self._first = float(numbers[0]) if self._first is None else self._first
            rows = before + self._first + np.arange(len(numbers))
            self._consecutive = self._first in (0.0, 1.0) and np.array_equal(numbers, rows)
        if self._rising:
            numbers = np.concatenate([[self._last], numbers])
            self._rising, self._last = bool((np.diff(numbers) > 0).all()), float(numbers[-1])
        if self.integer and max(-self._low, self._high) >= EXACT and len(self._large) <= MOST_VALUES_KEPT:
            self._add_large(series)

    def _add_large(self, series: "pl.Series") -> None:
        import polars as pl

        texts = series.str.strip_chars(SPACE) if series.dtype == pl.String else series.cast(pl.String)
        if series.dtype.is_integer() or series.dtype == pl.String:
            for text, count in texts.drop_nulls().value_counts().iter_rows():
                if text.lstrip("+-").isdigit() and abs(int(text)) >= EXACT:
                    self._large[int(text)] += count

    def statistics(self) -> dict[str, Any]:
        """Minimum, maximum, mean and population standard deviation, if there are numbers."""
        return {"min": self._low, "max": self._high, "mean": self._mean, "std": self._deviation} if self._count else {}

    def labels(self, values: list[Scalar] | None, counts: list[int] | None) -> Counter[Any] | None:
        """Whole numbers with all their digits, as texts if one is too large for JSON."""
        if not self._large or values is None or counts is None:
            return None
        exact = Counter(
            {int(each): count for each, count in zip(values, counts, strict=True) if abs(each) < EXACT}  # type: ignore[arg-type]
        )
        exact.update(self._large)
        written = int if max(map(abs, exact)) < MOST_OF_JSON else str
        return Counter({written(each): exact[each] for each in sorted(exact)})

    def counts_rows(self, rows: int, *, index: bool, gaps: bool) -> bool:
        """Whether the numbers are 0, 1, … or 1, 2, …; or whole and increasing, where there may be gaps."""
        return index and rows > 1 and (self._consecutive or (gaps and self.integer and self._rising))


class Number(ColumnType):
    """A number, kept as a float."""

    name: ClassVar[str] = "number"
    survey: ClassVar[type[TypeSurvey]] = NumberSurvey
    numeric: ClassVar[bool] = True
    expects: ClassVar[str] = "a finite number, or nothing for a missing value"
    example: ClassVar[Scalar | None] = 0.5
    datatype: ClassVar[str | None] = None
    chart_type: ClassVar[Literal["Q", "T", "N"]] = "Q"

    def fits(self, evidence: "Evidence") -> str | None:
        """If every text is a number without leading zeros, which codes have."""
        if evidence.numbers != evidence.others or not evidence.others or evidence.leading_zeros:
            return None
        if evidence.quoted and not evidence.typed:
            return None
        how = f", {evidence.formatted} of them as people write them" if evidence.formatted else ""
        return f"{evidence.others} of {evidence.others} cells are numbers{how}"

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first text that is not a number."""
        if (first := evidence.first_text) is None:
            return None
        return Misfit(row=first[0], cell=first[1][:60], cells=evidence.others_seen, of=evidence.others)

    def holds(self, dtype: "pl.DataType") -> bool:
        """Numbers and durations, and columns without values."""
        import polars as pl

        return dtype.is_numeric() or dtype in (pl.Null, pl.Duration)

    def note(self, name: str, evidence: "Evidence", *, asked: bool) -> str | None:
        """The number of cells in a format for people."""
        count = evidence.formatted
        what = f"{count} cells are numbers with a currency, a percent sign or thousands apart"
        return f"{shown(name)}: {what}" if count else None

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64, null for a value that is missing, not finite or not a number."""
        import polars as pl

        if series.dtype == pl.String:
            return _numbers(how.stripped(series), how.decimal)
        if series.dtype.is_numeric():
            return how.numbers(series)
        if series.dtype in (pl.Boolean, pl.Null):
            return series.cast(pl.Float64)
        if series.dtype == pl.Duration:
            return pl.Series("", np.divide(series.dt.total_microseconds().cast(pl.Float64), 1e6))
        return pl.Series("", [None] * len(series), pl.Float64)

    def from_values(self, values: Sequence[Any], how: How) -> Numbers | None:
        """Numbers of JSON in one NumPy call."""
        if not NUMBERS_OR_MISSING.issuperset(map(type, values)):
            return None
        try:
            found = np.array(values, np.float64)
        except OverflowError:
            return None
        if np.isfinite(found).sum() + values.count(None) < len(values):
            return None
        if how.missing_numbers:
            found[np.isin(found, list(how.missing_numbers))] = np.nan
        return found

    def from_value(self, value: Any, how: How) -> float | None:
        """A number of JSON, or a word for a missing value."""
        if isinstance(value, str) and how.is_missing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise expected("a number", value)
        if not -FLOAT64_MAX <= value <= FLOAT64_MAX:
            raise ValueError("is beyond what a float64 can hold")
        return None if value in how.missing_numbers else float(value)

    def from_text(self, text: str, how: How) -> float | None:
        """A number in one of the formats of files."""
        if how.is_missing(text):
            return None
        value = number_of(text.strip(SPACE), how.decimal)
        if value is None:
            raise expected(self.wanted(how), text)
        return value

    def scalars(self, values: list[Any], *, integer: bool) -> list[Scalar]:
        """Whole numbers as int, if all are."""
        return [int(value) if abs(value) < MOST_OF_JSON else value for value in values] if integer else values

    def record_labels(self, values: Sequence[Any], present: Numbers, how: How) -> Counter[Any]:
        """Whole numbers with all their digits, if a float64 does not hold one."""
        if not len(present) or np.abs(present).max() < EXACT:
            return Counter()
        whole = Counter(value for value in values if isinstance(value, int))
        return whole if len(whole) <= MOST_VALUES_KEPT else Counter()

    def input_fields(self, column: Column, how: How) -> dict[str, Any]:
        """float64 if the numbers need it, and a decimal comma."""
        dtype, decimal = "float64" if needs_float64(column) else None, "," if how.decimal == "," else None
        return {"dtype": dtype, "decimal": decimal}


def number_of(text: str, decimal: str) -> float | None:
    """The finite number in a text without surrounding spaces; None if it is not a number."""
    if not re.match(_LIKE_A_NUMBER, text):
        return None
    if re.match(_PLAIN, text) and (decimal == "." or "." not in text or not re.match(_grouped(decimal), text)):
        value = float(text)
    else:
        plain = _as_plain(text, decimal)
        if plain is None:
            return None
        value = float(plain)
    return value if abs(value) <= FLOAT64_MAX else None


def _as_plain(text: str, decimal: str) -> str | None:
    """A number without separators, signs of currency and the like; None if it is not a number."""
    text = text.replace("\u2212", "-")
    negative = re.match(_NEGATIVE, text)
    text = negative[1] if negative else text
    text = re.sub(_AFTER, "", re.sub(_BEFORE, r"\1\2", text))
    if re.match(_grouped(decimal), text):
        text = re.sub(_separator(decimal), "", text)
    if decimal == ",":
        text = text.replace(",", ".", 1)
    text = f"-{text}" if negative else text
    return text if re.match(_PLAIN, text) else None


def _separator(decimal: str) -> str:
    return rf"[{_THOUSANDS[decimal]}{_OTHER_THOUSANDS[decimal]}]"


def _grouped(decimal: str) -> str:
    fraction = re.escape(decimal)
    return rf"^[+-]?[0-9]{{1,3}}(?:{_separator(decimal)}[0-9]{{3}})+(?:{fraction}[0-9]*)?(?:[eE][+-]?[0-9]+)?$"


def _numbers(texts: "pl.Series", decimal: str) -> "pl.Series":
    """`number_of` for a column: Float64, null for what is not a number."""
    import polars as pl

    if decimal == ".":
        plain = texts.cast(pl.Float64, strict=False)
        plain = pl.select(pl.when(plain.is_finite()).then(plain)).to_series()
        if plain.null_count() == texts.null_count():
            return plain
    text = pl.col("text").str.replace_all("\u2212", "-", literal=True)
    negative = text.str.contains(_NEGATIVE)
    text = text.str.replace(_NEGATIVE, "$1").str.replace(_BEFORE, "$1$2").str.replace(_AFTER, "")
    grouped = text.str.contains(_grouped(decimal))
    text = pl.when(grouped).then(text.str.replace_all(_separator(decimal), "")).otherwise(text)
    if decimal == ",":
        text = text.str.replace(",", ".", literal=True)
    text = pl.when(negative).then("-" + text).otherwise(text)
    value = pl.when(text.str.contains(_PLAIN)).then(text).cast(pl.Float64, strict=False)
    return pl.DataFrame({"text": texts}).select(pl.when(value.is_finite()).then(value)).to_series()
