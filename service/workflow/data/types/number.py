"""Numbers: as programs write them, and as people do, with thousands apart, a currency or a percent sign."""

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
EXACT = 2.0**53  # from here on a float64 does not hold every whole number
MOST_OF_JSON = 2**63  # from here on a whole number is a text or a float: readers of JSON take no larger one
NUMBERS_OR_MISSING = frozenset((int, float, type(None)))
CURRENCIES = "$€£¥₹"
_APART = {".": ",", ",": "."}  # what may stand between thousands, by what stands before the fraction
_ALSO_APART = {
    ".": "'’\u00a0\u202f",
    ",": "'’\u00a0\u202f ",
}  # with points before fractions, `555 123` may be a telephone's
_PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LIKE_A_NUMBER = (
    rf"^[-+\u2212(0-9.,{CURRENCIES}][-+0-9.,eE'’\s{CURRENCIES}%()]*$"  # most texts are refused by this alone
)
LEADING_ZERO = r"^[+-]?0[0-9]"
_BEFORE = rf"^([+-]?)\s*[{CURRENCIES}]\s*([+-]?)"
_AFTER = rf"\s*[{CURRENCIES}%]$"
_NEGATIVE = r"^\((.*)\)$"  # as accountants write it


class NumberSurvey(TypeSurvey):
    """Minimum, maximum, mean and deviation; whole numbers that a float64 does not hold; and whether they count the rows."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self.integer = self._consecutive = self._rising = True
        self._count = 0
        self._large: Counter[int] = Counter()  # whole numbers that a float64 does not hold
        self._low, self._high = math.inf, -math.inf
        self._mean = self._deviation = 0.0  # the root of the mean squared deviation
        self._first: float | None = None
        self._last = -math.inf

    def add_numbers(self, numbers: Numbers) -> None:
        """Mean and deviations merged by the method of Chan, Golub and LeVeque (1983), scaled so that squares stay finite."""
        if not len(numbers):
            return
        self.integer = self.integer and bool((numbers == np.floor(numbers)).all())
        low, high = float(numbers.min()), float(numbers.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        scale = max(abs(low), abs(high)) or 1.0
        mean = float((numbers / scale).mean()) * scale
        deviation = _root_mean_square(numbers - mean)
        ours, theirs = self._count, len(numbers)
        share = theirs / (ours + theirs)
        apart = mean - self._mean if ours else 0.0
        self._mean = self._mean + apart * share if ours else mean
        parts = (
            self._deviation * math.sqrt(1 - share),
            deviation * math.sqrt(share),
            apart * math.sqrt(share * (1 - share)),
        )
        self._deviation = math.hypot(*parts)
        self._count += theirs

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Whether the numbers count the rows, or rise from row to row; and those that a float64 does not hold."""
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
        """Whole numbers with all their digits; as texts where JSON has no such numbers."""
        if not self._large or values is None or counts is None:
            return None
        exact = Counter(
            {int(each): count for each, count in zip(values, counts, strict=True) if abs(each) < EXACT}  # type: ignore[arg-type]
        )
        exact.update(self._large)
        if max(map(abs, exact)) < MOST_OF_JSON:
            return Counter({each: exact[each] for each in sorted(exact)})
        return Counter({str(each): exact[each] for each in sorted(exact)})

    def counts_rows(self, rows: int, *, index: bool, gaps: bool) -> bool:
        """Whether the numbers are 0, 1, … or 1, 2, …; where there may be gaps, whether they are whole and rise."""
        return index and rows > 1 and (self._consecutive or (gaps and self.integer and self._rising))


class Number(ColumnType):
    """A number, kept as float."""

    name: ClassVar[str] = "number"
    numeric: ClassVar[bool] = True
    datatype: ClassVar[str | None] = None
    chart_type: ClassVar[Literal["Q", "T", "N"]] = "Q"

    def fits(self, evidence: "Evidence") -> str | None:
        """Every text is a number, and none has a leading zero, as codes have."""
        if evidence.numbers != evidence.others or not evidence.others or evidence.leading_zeros:
            return None
        if evidence.quoted and not evidence.typed:
            return None
        how = f", {evidence.formatted} of them as people write them" if evidence.formatted else ""
        return f"{evidence.others} of {evidence.others} cells are numbers{how}"

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first text that is no number."""
        if (first := evidence.first_text) is None:
            return None
        return Misfit(row=first[0], cell=first[1][:60], cells=evidence.others_seen, of=evidence.others)

    def holds(self, dtype: "pl.DataType") -> bool:
        """Numbers and durations; and a column without any value."""
        import polars as pl

        return dtype.is_numeric() or dtype in (pl.Null, pl.Duration)

    def note(self, name: str, evidence: "Evidence", *, asked: bool) -> str | None:
        """How many cells are not as programs write them."""
        count = evidence.formatted
        what = f"{count} cells are numbers with a currency, a percent sign or thousands apart"
        return f"{shown(name)}: {what}" if count else None

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64, null where a value is missing or none, or not finite."""
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

    def wanted(self, how: How) -> str:
        """A number that is there, or nothing."""
        return "a finite number, or nothing for a missing value"

    def from_values(self, values: Sequence[Any], how: How) -> Numbers | None:
        """Numbers of JSON, without Python code for each."""
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
        """A number of JSON, or a word for a missing one."""
        if isinstance(value, str) and how.is_missing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise expected("a number", value)
        if not -FLOAT64_MAX <= value <= FLOAT64_MAX:
            raise ValueError("is beyond what a float64 can hold")
        return None if value in how.missing_numbers else float(value)

    def from_text(self, text: str, how: How) -> float | None:
        """A number as the file writes it."""
        if how.is_missing(text):
            return None
        value = number_of(text.strip(SPACE), how.decimal)
        if value is None:
            raise expected(self.wanted(how), text)
        return value

    def survey(self, how: How) -> TypeSurvey:
        """Statistics of numbers."""
        return NumberSurvey(how)

    def scalars(self, values: list[Any], *, integer: bool) -> list[Scalar]:
        """Whole numbers as such."""
        return [int(value) if abs(value) < MOST_OF_JSON else value for value in values] if integer else values

    def record_labels(self, values: Sequence[Any], present: Numbers, how: How) -> Counter[Any]:
        """Whole numbers with all their digits, where a float64 does not hold them."""
        if not len(present) or np.abs(present).max() < EXACT:
            return Counter()
        whole = Counter(value for value in values if isinstance(value, int))
        return whole if len(whole) <= MOST_VALUES_KEPT else Counter()

    def input_fields(self, column: Column, how: How) -> dict[str, Any]:
        """float64 where its numbers need it, and a decimal comma."""
        return {
            "dtype": "float64" if needs_float64(column) else None,
            "decimal": "," if how.decimal == "," else None,
        }


def _root_mean_square(numbers: Numbers) -> float:
    largest = float(np.abs(numbers).max())
    return math.sqrt(float(np.square(numbers / largest).mean())) * largest if largest else 0.0


def number_of(text: str, decimal: str) -> float | None:
    """The finite number that a text without spaces around it stands for; None if it is none."""
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
    """A number as a person writes it, as a program would; None if it is none."""
    text = text.replace("\u2212", "-")
    negative = re.match(_NEGATIVE, text)
    text = negative[1] if negative else text
    text = re.sub(_AFTER, "", re.sub(_BEFORE, r"\1\2", text))
    if re.match(_grouped(decimal), text):
        text = re.sub(_between(decimal), "", text)
    if decimal == ",":
        text = text.replace(",", ".", 1)
    text = f"-{text}" if negative else text
    return text if re.match(_PLAIN, text) else None


def _between(decimal: str) -> str:
    return rf"[{_APART[decimal]}{_ALSO_APART[decimal]}]"


def _grouped(decimal: str) -> str:
    fraction = re.escape(decimal)
    return rf"^[+-]?[0-9]{{1,3}}(?:{_between(decimal)}[0-9]{{3}})+(?:{fraction}[0-9]*)?(?:[eE][+-]?[0-9]+)?$"


def _numbers(texts: "pl.Series", decimal: str) -> "pl.Series":
    """The same for a column: Float64, null for what is none."""
    import polars as pl

    if decimal == ".":
        plain = texts.cast(pl.Float64, strict=False)
        plain = pl.select(pl.when(plain.is_finite()).then(plain)).to_series()
        if plain.null_count() == texts.null_count():
            return plain
    text = pl.col("text").str.replace_all("\u2212", "-", literal=True)
    negative = text.str.contains(_NEGATIVE)
    text = text.str.replace(_NEGATIVE, "$1").str.replace(_BEFORE, "$1$2").str.replace(_AFTER, "")
    text = (
        pl.when(text.str.contains(_grouped(decimal))).then(text.str.replace_all(_between(decimal), "")).otherwise(text)
    )
    if decimal == ",":
        text = text.str.replace(",", ".", literal=True)
    text = pl.when(negative).then("-" + text).otherwise(text)
    value = pl.when(text.str.contains(_PLAIN)).then(text).cast(pl.Float64, strict=False)
    found = pl.DataFrame({"text": texts}).select(pl.when(value.is_finite()).then(value))
    return found.to_series()
