"""True or false, in the words that files have for it."""

from typing import TYPE_CHECKING, Any, ClassVar

from service.workflow.data.types.column_kind import SPACE, ColumnKind, expected, is_missing, numbers, stripped
from service.workflow.data.types.how import How
from service.workflow.data.types.names import ColumnType

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
WORDS = {word: meaning for pair in PAIRS for word, meaning in zip(pair, (1.0, 0.0), strict=True)}
MEANINGS = WORDS | {"1": 1.0, "0": 0.0}


class Boolean(ColumnKind):
    """True or false, kept as 1 and 0."""

    name: ClassVar[ColumnType] = "boolean"

    def fits(self, evidence: "Evidence") -> str | None:
        """Every text is a word of one pair. 0 and 1 stay numbers."""
        words = {text.lower() for text in evidence.texts}
        if evidence.many or not words or evidence.numbers:
            return None
        # A letter alone may stand for anything.
        pair = next((pair for pair in PAIRS if words <= set(pair) and (len(words) == 2 or len(pair[0]) > 1)), None)
        return None if pair is None else f"{evidence.others} of {evidence.others} cells say {' or '.join(pair)}"

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64 1 and 0, null where a value is missing or none."""
        import polars as pl

        if series.dtype == pl.Boolean:
            return series.cast(pl.Float64)
        if series.dtype.is_numeric():
            values = numbers(series, how)
            return pl.select(pl.when(values.is_in([0.0, 1.0])).then(values)).to_series()
        if series.dtype != pl.String:
            return pl.Series("", [None] * len(series), pl.Float64)
        words = stripped(series, how).str.strip_chars(SPACE).str.to_lowercase()
        return words.replace_strict(list(MEANINGS), list(MEANINGS.values()), default=None, return_dtype=pl.Float64)

    def wanted(self, how: How) -> str:
        """One of two words."""
        return "true or false"

    def from_value(self, value: Any, how: How) -> float | None:
        """true, false, 1 or 0 of JSON, or a word of the pairs."""
        if isinstance(value, str):
            return self.from_text(value, how)
        if value not in (0, 1):
            raise expected(self.wanted(how), value)
        return float(value)

    def from_text(self, text: str, how: How) -> float | None:
        """A word of the pairs."""
        if is_missing(text, how):
            return None
        meaning = MEANINGS.get(text.strip(SPACE).lower())
        if meaning is None:
            raise expected(self.wanted(how), text)
        return meaning
