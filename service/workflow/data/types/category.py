"""Categories: texts, of which a model tells those apart that it has learned from."""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.column_kind import SPACE, ColumnKind, expected, is_missing, stripped
from service.workflow.data.types.how import How
from service.workflow.data.types.names import ColumnType

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


class Category(ColumnKind):
    """A text, kept as it stands in the data."""

    name: ClassVar[ColumnType] = "category"

    def fits(self, evidence: "Evidence") -> str:
        """Any text does."""
        if evidence.leading_zeros and evidence.numbers == evidence.others:
            return f"{evidence.leading_zeros} cells have leading zeros, as codes have and numbers have not"
        if evidence.quoted and not evidence.typed and evidence.numbers == evidence.others:
            return "texts that look like numbers: the file tells the two apart"
        known = f"more than {len(evidence.texts)}" if evidence.many else str(len(evidence.texts))
        also = f", beside {evidence.numbers} numbers" if evidence.numbers else ""
        return f"texts: {known} different ones{also}"

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Texts, null where a value is missing. Other values become the texts that JSON has for them."""
        import polars as pl

        if series.dtype.base_type() in (pl.Categorical, pl.Enum):
            series = series.cast(pl.String)
        if series.dtype == pl.String:
            return stripped(series, how)
        if series.dtype.is_temporal():
            return series.dt.to_string("iso:strict")
        if series.dtype.is_float():
            series = series.fill_nan(None)
        distinct = series.drop_nulls().unique()
        texts = [as_text(value) for value in distinct.to_list()]
        if not texts:
            return pl.Series("", [None] * len(series), pl.String)
        return series.replace_strict(distinct, texts, default=None, return_dtype=pl.String)

    def wanted(self, how: How) -> str:
        """Any text."""
        return "a text"

    def from_value(self, value: Any, how: How) -> str | None:
        """A text, or what JSON writes for a number, true or false."""
        if isinstance(value, dict | list):
            raise expected(self.wanted(how), value)
        return self.from_text(value, how) if isinstance(value, str) else as_text(value)

    def from_text(self, text: str, how: How) -> str | None:
        """The text itself."""
        if is_missing(text, how):
            return None
        return text.strip(SPACE) if how.trim else text

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """The position among the categories from 1, and 0 for one that is not known."""
        assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
        return [positions(column, categories or [])]


def positions(column: Texts, categories: Sequence[str]) -> Numbers:
    """Float32 [n]: 0 for a text that is none of the categories, NaN for a missing one."""
    known = {text: position for position, text in enumerate(categories, start=1)}
    found = [known.get(text, 0) for text in column.values]
    if 0 in found:
        same = _by_meaning(tuple(categories))
        found = [at or same.get(_meaning(text), 0) for at, text in zip(found, column.values, strict=True)]
    # The last entry stands for the code -1: missing.
    table = np.array([*found, np.nan], dtype=np.float32)
    taken: Numbers = table[column.codes]
    return taken


@lru_cache(maxsize=256)
def _by_meaning(categories: tuple[str, ...]) -> dict[str, int]:
    """The position of each category by what it says; of two that say the same, the first one's."""
    return {_meaning(text): position for position, text in reversed([*enumerate(categories, start=1)])}


def _meaning(text: str) -> str:
    """One form for the texts that say the same number or truth value: 1, 1.0 and 1e0, true and True; spaces around a text
    say nothing. Other texts, and those with leading zeros, say themselves."""
    bare = text.strip(SPACE)
    if bare.lower() in ("true", "false"):
        return bare.lower()
    # Up to 28 characters Decimal keeps every digit.
    return str(Decimal(bare).normalize() + 0) if len(bare) <= 28 and _NUMBER.fullmatch(bare) else bare


def as_text(value: object) -> str:
    """A value as a category, or as the name of a class: the way that JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
