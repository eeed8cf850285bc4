"""Numbers: as programs write them, and as people do, with thousands apart, a currency or a percent sign."""

import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.workflow.data.types.column_kind import SPACE, ColumnKind, expected, is_missing, numbers, stripped
from service.workflow.data.types.how import How
from service.workflow.data.types.names import ColumnType

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

FLOAT64_MAX = float(np.finfo(np.float64).max)
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


class Number(ColumnKind):
    """A number, kept as float."""

    name: ClassVar[ColumnType] = "number"

    def fits(self, evidence: "Evidence") -> str | None:
        """Every text is a number, and none has a leading zero, as codes have."""
        if evidence.numbers != evidence.others or not evidence.others or evidence.leading_zeros:
            return None
        if evidence.quoted and not evidence.typed:
            return None
        how = f", {evidence.formatted} of them as people write them" if evidence.formatted else ""
        return f"{evidence.others} of {evidence.others} cells are numbers{how}"

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64, null where a value is missing or none, or not finite."""
        import polars as pl

        if series.dtype == pl.String:
            return _numbers(stripped(series, how), how.decimal)
        if series.dtype.is_numeric():
            return numbers(series, how)
        if series.dtype in (pl.Boolean, pl.Null):
            return series.cast(pl.Float64)
        if series.dtype == pl.Duration:
            return pl.Series("", np.divide(series.dt.total_microseconds().cast(pl.Float64), 1e6))
        return pl.Series("", [None] * len(series), pl.Float64)

    def wanted(self, how: How) -> str:
        """A number that is there, or nothing."""
        return "a finite number, or nothing for a missing value"

    def from_value(self, value: Any, how: How) -> float | None:
        """A number of JSON, or a word for a missing one."""
        if isinstance(value, str) and is_missing(value, how):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise expected("a number", value)
        if not -FLOAT64_MAX <= value <= FLOAT64_MAX:
            raise ValueError("is beyond what a float64 can hold")
        return None if value in how.missing_numbers else float(value)

    def from_text(self, text: str, how: How) -> float | None:
        """A number as the file writes it."""
        if is_missing(text, how):
            return None
        value = number_of(text.strip(SPACE), how.decimal)
        if value is None:
            raise expected(self.wanted(how), text)
        return value


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
