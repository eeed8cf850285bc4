"""Surveys one column, batch by batch, as a training will read it."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from service.workflow.data.histogram import Histogram
from service.workflow.data.infer import Inferred
from service.workflow.data.read import parsed
from service.workflow.data.reading import Reading
from service.workflow.data.schema import MOST_VALUES_KEPT, Column
from service.workflow.data.types.column_type import LONGEST_CELL, TypeSurvey
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.number import EXACT
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

INDEX_NAMES = {"", "index", "id", "row", "rows", "rownames", "row.names", "row_names", "row_id", "rowid", "rownum"}
INDEX_BEGINNINGS = ("unnamed: 0", "__index_level_", "level_0")


class ColumnSurvey:
    """The values of one column so far."""

    def __init__(self, name: str, inferred: Inferred, reading: Reading, nameless: bool) -> None:
        self.name = name
        self.inferred = inferred
        self.notes: list[str] = []
        self._nameless = nameless
        self._how = How(frozenset(reading.missing), reading.decimal, inferred.date_format, reading.trim)
        self._type = None if inferred.type == "unsupported" else COLUMN_TYPES[inferred.type]
        self._of_type = TypeSurvey(self._how) if self._type is None else self._type.survey(self._how)
        self._missing = self._infinite = 0
        self._values: Counter[Any] | None = Counter() if self._type is None or self._type.lists_values else None
        self._histogram = Histogram()
        self._first_missing: int | None = None
        self._head: list[Any] = []

    def add(self, series: "pl.Series", before: int, head_rows: int) -> None:
        """Adds a batch after `before` rows; the first `head_rows` rows of the file are kept for display.

        Raises:
            InvalidData: a value is not of the column's type.
        """
        head = series.head(max(0, head_rows - before))
        if self._type is None:
            self._missing += series.null_count()
            self._head += [None if each is None else str(each)[:LONGEST_CELL] for each in head]
            return
        values = parsed(self.name, series, self._type.name, self._how, before)
        present = values.drop_nulls().drop_nans() if values.dtype.is_float() else values.drop_nulls()
        self._missing += len(series) - len(present)
        if self._first_missing is None and len(present) < len(series):
            missing = values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()
            self._first_missing = before + int(missing.arg_true()[0])
        if series.dtype.is_float():
            self._infinite += int(series.is_infinite().sum() or 0)
        if not self._type.texts:
            numbers = present.to_numpy()
            self._of_type.add_numbers(numbers)
            self._histogram.add(numbers)
        self._of_type.add(series, values, before)
        self._add_values(present)
        self._head += self._of_type.head(head, values.head(len(head)))

    def _add_values(self, present: "pl.Series") -> None:
        if self._values is None:
            return
        counted = present.value_counts()
        if len(counted) <= MOST_VALUES_KEPT:
            self._values.update(dict(counted.iter_rows()))
        if max(len(counted), len(self._values)) > MOST_VALUES_KEPT:
            self._values = None

    def head(self) -> list[Any]:
        """The first values, for display."""
        if self._of_type.integer:
            return [each if each is None or abs(each) >= EXACT else int(each) for each in self._head]
        return self._head

    def column(self, rows: int) -> Column:
        """The column of the schema, for a table with this number of rows."""
        if self._infinite:
            self.notes.append(f"{shown(self.name)}: {self._infinite} infinite numbers are taken for missing")
        self.notes += [f"{shown(self.name)}: {note}" for note in self._of_type.notes()]
        values, counts = self._distinct()
        labels = self._of_type.labels(values, counts)
        distinct = {} if self._values is None else {"distinct": len(self._values)}
        inferred, examples = self.inferred, [str(each)[:60] for each in dict.fromkeys(self._head) if each is not None]
        return Column(
            name=self.name,
            type=inferred.type,
            integer=self._of_type.integer,
            missing=self._missing,
            values=values,
            counts=counts,
            statistics=distinct | self._of_type.statistics(),
            labels=None if labels is None else list(labels),
            label_counts=None if labels is None else list(labels.values()),
            counts_rows=self._counts_rows(rows),
            plain=inferred.plain,
            date_format=inferred.date_format,
            reason=inferred.reason,
            examples=list(inferred.examples) or examples[:3],
            misfits=dict(inferred.misfits),
            first_missing=self._first_missing,
            bins=None if self._values is not None else self._histogram.bins(),
        )

    def _distinct(self) -> tuple[list[Scalar] | None, list[int] | None]:
        if self._values is None or self._type is None:
            return None, None
        found = sorted(self._values)
        return self._type.scalars(found, integer=self._of_type.integer), [self._values[value] for value in found]

    def _counts_rows(self, rows: int) -> bool:
        """Whether the column only numbers or names the rows."""
        number = self.inferred.misfits.get("number")
        if number is not None and 2 * number.cells < number.of:  # most cells are numbers
            return False
        lowered = self.name.lower()
        # An unnamed index may have gaps where rows were removed.
        gaps = self._nameless or lowered.startswith(INDEX_BEGINNINGS) or lowered == "index"
        return self._of_type.counts_rows(rows, index=gaps or lowered in INDEX_NAMES, gaps=gaps)
