"""Booleans, also as words such as yes and no."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from service.workflow.data.schema import Column, Misfit
from service.workflow.data.table import Numbers
from service.workflow.data.types.column_type import ColumnType, TypeSurvey, expected
from service.workflow.data.types.how import SPACE, How
from service.workflow.data.types.names import Scalar
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
WORDS = {word: meaning for pair in PAIRS for word, meaning in zip(pair, (1.0, 0.0), strict=True)}
MEANINGS = WORDS | {"1": 1.0, "0": 0.0}


class BooleanSurvey(TypeSurvey):
    """Counts the words for true and false."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self._words: Counter[str] = Counter()

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Counts those of a batch."""
        import polars as pl

        if series.dtype == pl.String:
            texts = series.str.strip_chars(SPACE)
            words = texts.filter(texts.is_not_null() & (texts != "") & ~texts.is_in(sorted(self.how.missing)))
            self._words.update(dict(words.value_counts().iter_rows()))

    def labels(self, values: list[Scalar] | None, counts: list[int] | None) -> Counter[Any] | None:
        """The words of the file, unless they are true and false."""
        if set(self._words) <= {"true", "false"}:
            return None
        return Counter({word: self._words[word] for word in sorted(self._words)})

    def head(self, series: "pl.Series", values: "pl.Series") -> list[Any]:
        """As bool."""
        return [None if each is None else bool(each) for each in values.to_list()]


class Boolean(ColumnType):
    """A boolean, kept as 1 or 0."""

    name: ClassVar[str] = "boolean"
    survey: ClassVar[type[TypeSurvey]] = BooleanSurvey
    label: ClassVar[bool] = True
    expects: ClassVar[str] = "true or false"
    example: ClassVar[Scalar | None] = True
    datatype: ClassVar[str | None] = "BOOL"

    def fits(self, evidence: "Evidence") -> str | None:
        """If all texts are words of one pair. 0 and 1 are numbers."""
        words = {text.lower() for text in evidence.texts}
        if evidence.many or not words or evidence.numbers:
            return None
        # One letter alone may mean anything.
        pair = next((pair for pair in PAIRS if words <= set(pair) and (len(words) == 2 or len(pair[0]) > 1)), None)
        return None if pair is None else f"{evidence.others} of {evidence.others} cells say {' or '.join(pair)}"

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first text that is no word for a boolean; numbers are checked when they are read."""
        for text, row in evidence.text_rows.items():
            if text.lower() not in MEANINGS:
                return Misfit(row=row, cell=text[:60], cells=evidence.others_seen, of=evidence.others)
        return None

    def holds(self, dtype: "pl.DataType") -> bool:
        """Booleans."""
        import polars as pl

        return dtype == pl.Boolean

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64 1 and 0, null for a value that is missing or not a boolean."""
        import polars as pl

        if series.dtype == pl.Boolean:
            return series.cast(pl.Float64)
        if series.dtype.is_numeric():
            values = how.numbers(series)
            return pl.select(pl.when(values.is_in([0.0, 1.0])).then(values)).to_series()
        if series.dtype != pl.String:
            return pl.Series("", [None] * len(series), pl.Float64)
        words = how.stripped(series).str.strip_chars(SPACE).str.to_lowercase()
        return words.replace_strict(list(MEANINGS), list(MEANINGS.values()), default=None, return_dtype=pl.Float64)

    def from_value(self, value: Any, how: How) -> float | None:
        """true, false, 1 or 0 of JSON, or a word of one pair."""
        if isinstance(value, str):
            return self.from_text(value, how)
        if value not in (0, 1):
            raise expected(self.wanted(how), value)
        return float(value)

    def from_text(self, text: str, how: How) -> float | None:
        """A word of one pair, or 1 or 0."""
        if how.is_missing(text):
            return None
        meaning = MEANINGS.get(text.strip(SPACE).lower())
        if meaning is None:
            raise expected(self.wanted(how), text)
        return meaning

    def scalars(self, values: list[Any], *, integer: bool) -> list[Scalar]:
        """As bool."""
        return list(map(bool, values))

    def record_labels(self, values: Sequence[Any], present: Numbers, how: How) -> Counter[Any]:
        """The words of the records."""
        words = Counter(value.strip() for value in values if isinstance(value, str) and value.strip())
        return Counter({word: count for word, count in words.items() if word not in how.missing})

    def refusal(self, column: Column) -> str | None:
        """Also if a number of the column is neither 0 nor 1."""
        if self.name not in column.misfits and column.type == "number" and not set(column.values or (2,)) <= {0, 1}:
            odd = next((value for value in column.values or () if value not in (0, 1)), column.statistics.get("max"))
            return f"holds {shown(odd)}, which is neither 0 nor 1"
        return super().refusal(column)

    def decoded(self, columns: Sequence[Numbers], categories: Sequence[str] | None) -> "pl.Series":
        """As bool."""
        import polars as pl

        return pl.Series(columns[0], nan_to_null=True).cast(pl.Boolean)

    def keeps(self, number: float) -> bool:
        """0 and 1."""
        return number in (0, 1)

    def plotted(self, value: float | str) -> Scalar:
        """As bool."""
        return bool(value)
