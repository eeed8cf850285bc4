"""Statistics of texts."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.column_type import TypeSurvey
from service.workflow.data.types.how import How

if TYPE_CHECKING:
    import polars as pl

KEPT_HASHES = 2**16  # the smallest ones; more distinct texts are estimated from them, to about 0.4 %
_HASHES = 2.0**64  # there are so many


class TextSurvey(TypeSurvey):
    """The lengths of texts in characters and in words, and the number of different ones, in little memory."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self._characters: Counter[int] = Counter()
        self._words: Counter[int] = Counter()
        self._hashes: Numbers = np.zeros(0, np.uint64)  # the smallest, sorted
        self._distinct: int | None = None

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Adds a batch."""
        texts = values.drop_nulls()
        self._characters.update(dict(texts.str.len_chars().value_counts().iter_rows()))
        self._words.update(dict(texts.str.count_matches(r"\S+").value_counts().iter_rows()))
        self._hashes = np.union1d(self._hashes, texts.hash().to_numpy())[:KEPT_HASHES]

    def add_texts(self, texts: Texts) -> None:
        """Adds the texts of records, which are few."""
        counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.values)).tolist()
        for text, count in zip(texts.values, counts, strict=True):
            self._characters[len(text)] += count
            self._words[len(text.split())] += count
        self._distinct = len(texts.values)

    def statistics(self) -> dict[str, Any]:
        """The lengths and the number of different texts."""
        if not self._characters:
            return {}
        length = {
            "min": min(self._characters),
            "median": _quantile(self._characters, 0.5),
            "p95": _quantile(self._characters, 0.95),
            "max": max(self._characters),
        }
        return {"length": length, "words": {"median": _quantile(self._words, 0.5)}, "distinct": self._estimated()}

    def _estimated(self) -> int:
        """The number of different texts: exact while their hashes are kept, else after Bar-Yossef et al., "Counting distinct
        elements in a data stream" (2002)."""
        if self._distinct is not None:
            return self._distinct
        if len(self._hashes) < KEPT_HASHES:
            return len(self._hashes)
        return round((KEPT_HASHES - 1) / (float(self._hashes[-1]) / _HASHES))


def _quantile(counts: Counter[int], share: float) -> int:
    """The smallest value that so large a share of all values does not exceed."""
    values = sorted(counts)
    upto = np.cumsum([counts[value] for value in values])
    return values[int(np.searchsorted(upto, share * upto[-1]))]
