"""What is in one column, gathered batch by batch as a training will read it."""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from service.workflow.data.infer import Inferred
from service.workflow.data.read import parsed
from service.workflow.data.reading import Reading
from service.workflow.data.schema import MOST_VALUES_KEPT, Column, Scalar
from service.workflow.data.types.column_kind import SPACE
from service.workflow.data.types.evidence import EXACT
from service.workflow.data.types.how import How
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

MOST_OF_JSON = 2**63  # from here on a whole number is a text or a float: readers of JSON take no larger one
LONGEST_CELL = 1000  # characters that are shown of a text
FEWEST_NAMES = 20  # rows of which no two have the same text, so that the text is taken for the row's name
SENTINELS = frozenset(
    {-2208988800.0, 253402214400.0, 253402300799.0, -62135596800.0}
)  # 1900-01-01, 9999-12-31, 0001-01-01
INDEX_NAMES = frozenset(
    {"", "index", "id", "row", "rows", "rownames", "row.names", "row_names", "row_id", "rowid", "rownum"}
)
INDEX_BEGINNINGS = ("unnamed: 0", "__index_level_", "level_0")


class ColumnSurvey:
    """What has been seen of one column so far."""

    def __init__(self, name: str, inferred: Inferred, reading: Reading, nameless: bool) -> None:
        self.name = name
        self.inferred = inferred
        self.notes: list[str] = []
        self._nameless = nameless
        self._kind = inferred.type
        self._how = How(frozenset(reading.missing), reading.decimal, inferred.date_format, reading.trim)
        self._count = self._missing = self._infinite = self._sentinels = 0
        self._integer = self._kind == "number"
        self._values: Counter[Any] | None = Counter()
        self._large: Counter[int] = Counter()  # whole numbers that a float64 does not hold
        self._words: Counter[str] = Counter()  # in which a boolean column says true and false
        self._low, self._high = math.inf, -math.inf
        self._mean = self._deviation = 0.0  # the root of the mean squared deviation
        self._consecutive = self._rising = True
        self._first: float | None = None
        self._last = -math.inf
        self._first_missing: int | None = None
        self._hashes: list[Any] | None = []
        self._head: list[Any] = []

    def add(self, series: "pl.Series", before: int, head_rows: int) -> None:
        """More values, after so many rows; the first rows are kept to be shown.

        Raises:
            InvalidData: one is not of the column's type.
        """
        if self._kind == "unsupported":
            self._missing += series.null_count()
            self._count += len(series) - series.null_count()
            self._head += [
                None if each is None else str(each)[:LONGEST_CELL] for each in series.head(max(0, head_rows - before))
            ]
            return
        values = parsed(self.name, series, self._kind, self._how, before)
        present = values.drop_nulls().drop_nans() if values.dtype.is_float() else values.drop_nulls()
        self._missing += len(series) - len(present)
        if self._first_missing is None and len(present) < len(series):
            missing = values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()
            self._first_missing = before + int(missing.arg_true()[0])
        if series.dtype.is_float():
            self._infinite += int(series.is_infinite().sum() or 0)
        self._watch_rows(values, len(present), before)
        if self._kind == "number":
            self._add_numbers(series, present)
        elif self._kind == "datetime":
            self._sentinels += int(present.is_in(list(SENTINELS)).sum())
        elif self._kind == "boolean":
            self._add_words(series)
        self._count += len(present)
        self._add_values(present)
        if before < head_rows:
            self._head += self._shown(series.head(head_rows - before), values.head(head_rows - before))

    def _watch_rows(self, values: "pl.Series", present: int, before: int) -> None:
        """Whether it counts the rows, or has another text in each."""
        if self._consecutive and self._kind == "number":
            if self._first is None and len(values):
                self._first = values[0]
            first = self._first
            self._consecutive = first in (0.0, 1.0) and present == len(values)
            if self._consecutive and first is not None:
                expected = np.arange(before + first, before + first + len(values))
                self._consecutive = bool(np.array_equal(values.to_numpy(), expected))
        if self._rising and self._kind == "number":
            numbers = np.concatenate([[self._last], values.fill_null(np.nan).to_numpy()])
            self._rising, self._last = bool((np.diff(numbers) > 0).all()), float(numbers[-1])
        if self._hashes is not None and self._kind == "category":
            hashed = values.hash().to_numpy()
            distinct = present == len(values) and len(np.unique(hashed)) == len(hashed)
            self._hashes = [*self._hashes, hashed] if distinct else None

    def _add_numbers(self, series: "pl.Series", present: "pl.Series") -> None:
        """Mean and deviations merged by the method of Chan, Golub and LeVeque (1983), scaled so that squares stay finite."""
        if not len(present):
            return
        numbers = present.to_numpy()
        self._integer = self._integer and bool((numbers == np.floor(numbers)).all())
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
        if self._integer and scale >= EXACT and len(self._large) <= MOST_VALUES_KEPT:
            self._add_large(series, present)

    def _add_large(self, series: "pl.Series", present: "pl.Series") -> None:
        import polars as pl

        texts = series.str.strip_chars(SPACE) if series.dtype == pl.String else series.cast(pl.String)
        if series.dtype.is_integer() or series.dtype == pl.String:
            for text, count in texts.drop_nulls().value_counts().iter_rows():
                if text.lstrip("+-").isdigit() and abs(int(text)) >= EXACT:
                    self._large[int(text)] += count

    def _add_words(self, series: "pl.Series") -> None:
        import polars as pl

        if series.dtype == pl.String:
            texts = series.str.strip_chars(SPACE)
            words = texts.filter(texts.is_not_null() & (texts != "") & ~texts.is_in(sorted(self._how.missing)))
            self._words.update(dict(words.value_counts().iter_rows()))

    def _add_values(self, present: "pl.Series") -> None:
        if self._values is None:
            return
        counted = present.value_counts()
        if len(counted) > MOST_VALUES_KEPT:
            self._values = None
            return
        self._values.update(dict(counted.iter_rows()))
        if len(self._values) > MOST_VALUES_KEPT:
            self._values = None

    def _shown(self, series: "pl.Series", values: "pl.Series") -> list[Any]:
        import polars as pl

        match self._kind:
            case "boolean":
                return [None if each is None else bool(each) for each in values.to_list()]
            case "datetime":
                texts = series if series.dtype == pl.String else series.cast(pl.String)
                return [None if each is None else each[:LONGEST_CELL] for each in texts.to_list()]
            case "category":
                return [None if each is None else each[:LONGEST_CELL] for each in values.to_list()]
            case _:
                return [None if each is None or each != each else each for each in values.to_list()]

    def head(self) -> list[Any]:
        """The first values, as they are shown."""
        if self._integer and self._kind == "number":
            return [each if each is None or abs(each) >= EXACT else int(each) for each in self._head]
        return self._head

    def column(self, rows: int) -> Column:
        """All of it."""
        if self._infinite:
            self.notes.append(f"{shown(self.name)}: {self._infinite} infinite numbers are taken for missing")
        if self._sentinels:
            text = "dates such as 1900-01-01 or 9999-12-31, which often stand for none"
            self.notes.append(f"{shown(self.name)}: {self._sentinels} {text}; name them in `missing` if they do")
        values, counts = self._distinct()
        labels, label_counts = self._labels(values, counts)
        inferred = self.inferred
        return Column(
            name=self.name,
            type=self._kind,
            integer=self._integer and self._kind == "number",
            missing=self._missing,
            values=values,
            counts=counts,
            statistics=self._statistics(),
            labels=labels,
            label_counts=label_counts,
            counts_rows=self._counts_rows(rows),
            plain=inferred.plain,
            date_format=inferred.date_format,
            reason=inferred.reason,
            examples=list(inferred.examples)
            or [str(each)[:60] for each in dict.fromkeys(self._head) if each is not None][:3],
            misfits=dict(inferred.misfits),
            first_missing=self._first_missing,
        )

    def _distinct(self) -> tuple[list[Scalar] | None, list[int] | None]:
        if self._values is None or self._kind == "unsupported":
            return None, None
        found = sorted(self._values)
        counts = [self._values[value] for value in found]
        if self._kind == "boolean":
            return [bool(value) for value in found], counts
        if self._kind == "number" and self._integer:
            return [int(value) if abs(value) < MOST_OF_JSON else value for value in found], counts
        return found, counts

    def _labels(
        self, values: list[Scalar] | None, counts: list[int] | None
    ) -> tuple[list[Scalar] | None, list[int] | None]:
        """Where a target's classes are not the values: in the words of the file, and whole numbers with all their digits."""
        if self._kind == "boolean" and self._words and not set(self._words) <= {"true", "false"}:
            return sorted(self._words), [self._words[each] for each in sorted(self._words)]
        if self._kind == "number" and self._large and values is not None and counts is not None:
            exact = Counter(
                {int(each): count for each, count in zip(values, counts, strict=True) if abs(each) < EXACT}  # type: ignore[arg-type]
            )
            exact.update(self._large)
            if max(map(abs, exact)) < MOST_OF_JSON:
                return sorted(exact), [exact[each] for each in sorted(exact)]
            return [str(each) for each in sorted(exact)], [exact[each] for each in sorted(exact)]
        return None, None

    def _statistics(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._values is not None:
            found["distinct"] = len(self._values)
        if self._kind == "number" and self._count:
            found |= {"min": self._low, "max": self._high, "mean": self._mean, "std": self._deviation}
        return found

    def _counts_rows(self, rows: int) -> bool:
        """Whether it only counts or names the rows."""
        lowered = self.name.lower()
        named_so = self._nameless or lowered in INDEX_NAMES or lowered.startswith(INDEX_BEGINNINGS)
        if self._kind == "number":
            # An index without a name may have gaps, where rows were left out.
            gaps = self._nameless or lowered.startswith(INDEX_BEGINNINGS) or lowered == "index"
            return named_so and rows > 1 and (self._consecutive or (gaps and self._integer and self._rising))
        number = self.inferred.misfits.get("number")
        mostly_numbers = number is not None and 2 * number.cells < number.of
        if self._kind != "category" or self._hashes is None or mostly_numbers:
            return False
        fewest = 1 if named_so else FEWEST_NAMES
        return rows > fewest and len(np.unique(np.concatenate(self._hashes))) == rows


def _root_mean_square(numbers: Any) -> float:
    largest = float(np.abs(numbers).max())
    return math.sqrt(float(np.square(numbers / largest).mean())) * largest if largest else 0.0
