"""What is known of a table without reading it again: its rows, how it is read, and its columns with their types and
statistics."""

from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.reading import LEGACY_READING, Reading
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar, TypeName

MOST_VALUES_KEPT = 1000
MOST_COLUMNS = 10_000
BATCH_ROWS = 50_000  # of a file in memory at a time


class Misfit(BaseModel):
    """The first cell of a column that is not of a type; its row counts from 0."""

    model_config = ConfigDict(frozen=True)

    row: int
    cell: str
    cells: int = 1  # that are not of it
    of: int = 1  # cells that are there


class Column(BaseModel):
    """A column: its type, how many values are missing, and its statistics.

    `values` holds the distinct values in sorted order while there are at most `MOST_VALUES_KEPT` of them, else None;
    `counts` how often each comes. A column of type `unsupported` can be kept and not be learned from.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: TypeName | Literal["unsupported"]
    integer: bool = False
    missing: int = 0
    values: list[Scalar] | None = None
    counts: list[int] | None = None
    statistics: dict[str, Any] = {}
    labels: list[Scalar] | None = None  # as a target, where the data say it otherwise than `values`: yes and no, say
    label_counts: list[int] | None = None
    counts_rows: bool = False  # it only counts or names the rows: no feature unless it is named
    plain: bool = True  # every cell is empty or a number as programs write it
    date_format: str | None = None  # of a datetime that stands in a text
    reason: str = ""  # why it has its type
    examples: list[str] = []
    misfits: dict[TypeName, Misfit] = {}  # why it cannot have another type
    first_missing: int | None = None  # the row of the first value that is missing, from 0

    def is_feature(self, rows: int) -> bool:
        """Whether it is learned from where the spec names no features."""
        return self.missing < rows and not self.counts_rows and self.type != "unsupported"

    def target_values(self) -> tuple[list[Scalar] | None, list[int] | None]:
        """The distinct values as a target's classes, and how often each comes."""
        return (self.values, self.counts) if self.labels is None else (self.labels, self.label_counts)


class Schema(BaseModel):
    """The columns of a table, how many rows it has, and how its file is read."""

    model_config = ConfigDict(frozen=True)

    rows: int
    columns: list[Column]
    reading: Reading = LEGACY_READING

    def column(self, name: str) -> Column | None:
        """The column of that name, if there is one."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in reversed(self.columns)}

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


def how_of(schema: Schema, name: str) -> How:
    """How the texts of a column stand for values."""
    reading, column = schema.reading, schema.column(name)
    date_format = column.date_format if column is not None else None
    return How(
        missing=frozenset(reading.missing),
        decimal=reading.decimal,
        date_format=reading.date_formats.get(name, date_format),
        trim=reading.trim,
    )


__all__ = [
    "BATCH_ROWS",
    "MOST_COLUMNS",
    "MOST_VALUES_KEPT",
    "Column",
    "Misfit",
    "Scalar",
    "Schema",
    "TypeName",
    "how_of",
]
