"""Categories: texts from a list that a model learns."""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.workflow.data.schema import Column
from service.workflow.data.table import Numbers, Texts, Values
from service.workflow.data.types.column_type import ColumnType, TypeSurvey, expected
from service.workflow.data.types.how import SPACE, How
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence
    from service.workflow.signature import Input

MOST_CATEGORIES = 256  # of one feature; rarer ones are unknown to the model
LONGEST_CATEGORY = 1000  # characters; longer ones are unknown to the model, so that its signature stays small
FEW = 5  # if this many times more cells are numbers, the other cells may be mistakes
FEWEST_NAMES = 20  # rows with different texts, from which the texts are taken for names of the rows
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


class CategorySurvey(TypeSurvey):
    """Whether all rows have different texts."""

    _hashes: tuple[Numbers, ...] | None = ()  # of each batch; None once two texts are equal

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Compares the texts of a batch by their hashes."""
        if self._hashes is not None:
            hashed = values.hash().to_numpy()
            distinct = not values.null_count() and len(np.unique(hashed)) == len(hashed)
            self._hashes = (*self._hashes, hashed) if distinct else None

    def counts_rows(self, rows: int, *, index: bool, gaps: bool) -> bool:
        """Whether all rows have different texts, in enough rows for that to be no coincidence."""
        if self._hashes is None or rows <= (1 if index else FEWEST_NAMES):
            return False
        return len(np.unique(np.concatenate(self._hashes))) == rows


class Category(ColumnType):
    """A text as it is in the data."""

    name: ClassVar[str] = "category"
    precedence: ClassVar[int] = 3  # any text is one
    survey: ClassVar[type[TypeSurvey]] = CategorySurvey
    texts: ClassVar[bool] = True
    fits_fields: ClassVar[bool] = True
    categorical: ClassVar[bool] = True
    dates: ClassVar[bool] = True
    expects: ClassVar[str] = "a text"

    def fits(self, evidence: "Evidence") -> str:
        """Always."""
        if evidence.leading_zeros and evidence.numbers == evidence.others:
            return f"{evidence.leading_zeros} cells have leading zeros, as codes have and numbers have not"
        if evidence.quoted and not evidence.typed and evidence.numbers == evidence.others:
            return "texts in the form of numbers: the file distinguishes texts from numbers"
        known = f"more than {len(evidence.texts)}" if evidence.many else str(len(evidence.texts))
        also = f", beside {evidence.numbers} numbers" if evidence.numbers else ""
        return f"texts: {known} different ones{also}"

    def holds(self, dtype: "pl.DataType") -> bool:
        """All columns that no other type holds."""
        return True

    def note(self, name: str, evidence: "Evidence", *, asked: bool) -> str | None:
        """If nearly all cells are numbers."""
        odd, of = evidence.others_seen, evidence.others
        if asked or evidence.first_text is None or odd * FEW >= of:
            return None
        row, text = evidence.first_text
        what = f"all but {odd} of its {of} cells are numbers (row {row + 1} holds {shown(text[:60])})"
        return f"{shown(name)} is taken for texts: {what}; correct them, or name the words in `missing`"

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Texts, null for a missing value. Other values become texts as in JSON."""
        import polars as pl

        if series.dtype.base_type() in (pl.Categorical, pl.Enum):
            series = series.cast(pl.String)
        if series.dtype == pl.String:
            return how.stripped(series)
        if series.dtype.is_temporal():
            return series.dt.to_string("iso:strict")
        if series.dtype.is_float():
            series = series.fill_nan(None)
        distinct = series.drop_nulls().unique()
        texts = [as_text(value) for value in distinct.to_list()]
        if not texts:
            return pl.Series("", [None] * len(series), pl.String)
        return series.replace_strict(distinct, texts, default=None, return_dtype=pl.String)

    def from_value(self, value: Any, how: How) -> str | None:
        """A text; a number or boolean as JSON writes it."""
        if isinstance(value, dict | list):
            raise expected(self.wanted(how), value)
        return self.from_text(value, how) if isinstance(value, str) else as_text(value)

    def from_text(self, text: str, how: How) -> str | None:
        """The text itself."""
        if how.is_missing(text):
            return None
        return text.strip(SPACE) if how.trim else text

    def refusal(self, column: Column) -> str | None:
        """Any column can be read as texts, but those of files or tensors."""
        return super().refusal(column) if self.name in column.misfits else None

    def fitted_fields(self, column: Values, of: "Input") -> dict[str, Any]:
        """The most frequent categories of the training rows, sorted."""
        assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
        seen = [
            (-int(count), text)
            for count, text in zip(counts, column.values, strict=True)
            if count and len(text) <= LONGEST_CATEGORY
        ]
        return {"categories": sorted(text for _, text in sorted(seen)[:MOST_CATEGORIES])}

    def largest_fields(self, column: Column) -> dict[str, Any]:
        """As many categories as the column has values, within the limit."""
        known = MOST_CATEGORIES if column.values is None else min(len(column.values), MOST_CATEGORIES)
        return {"categories": [""] * known}

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """The position among the categories, from 1; 0 for an unknown one."""
        assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
        return [positions(column, categories or [])]

    def decoded(self, columns: Sequence[Numbers], categories: Sequence[str] | None) -> "pl.Series":
        """The texts of the known categories. Null for an unknown one, too: its text is not encoded."""
        import polars as pl

        texts = np.array([None, *(categories or [])], dtype=object)
        found = np.nan_to_num(columns[0], nan=0.0).astype(np.int64)
        return pl.Series(texts[found].tolist(), dtype=pl.String)


def positions(column: Texts, categories: Sequence[str]) -> Numbers:
    """The position of each text among the categories, from 1: float32 [n], 0 for an unknown text, NaN for a missing one."""
    known = {text: position for position, text in enumerate(categories, start=1)}
    found = [known.get(text, 0) for text in column.values]
    if 0 in found:
        same = _by_meaning(tuple(categories))
        found = [at or same.get(_meaning(text), 0) for at, text in zip(found, column.values, strict=True)]
    by_code: Numbers = np.array([*found, np.nan], dtype=np.float32)  # the code -1, missing, takes the last one
    return np.asarray(by_code[column.codes])


@lru_cache(maxsize=256)
def _by_meaning(categories: tuple[str, ...]) -> dict[str, int]:
    """The position of the first category of each meaning."""
    return {_meaning(text): position for position, text in reversed([*enumerate(categories, start=1)])}


def _meaning(text: str) -> str:
    """The same text for all ways to write a number or boolean, such as 1, 1.0 and 1e0, or true and True. Other texts, also
    those with leading zeros, only lose the spaces around them."""
    bare = text.strip(SPACE)
    if bare.lower() in ("true", "false"):
        return bare.lower()
    # Decimal keeps every digit of up to 28 characters.
    return str(Decimal(bare).normalize() + 0) if len(bare) <= 28 and _NUMBER.fullmatch(bare) else bare


def as_text(value: object) -> str:
    """A value as JSON writes it, which is its name as a category or a class."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
