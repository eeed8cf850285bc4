"""The schema of a table: its number of rows, how it is read, and its columns with their types and statistics."""

from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.histogram import Bins
from service.workflow.data.reading import LEGACY_READING, Reading
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar, TypeName

MOST_VALUES_KEPT = 1000
MOST_COLUMNS = 10_000
BATCH_ROWS = 50_000  # of a file in memory at a time


class Misfit(BaseModel):
    """The first cell of a column that is not of a type, with its row counted from 0."""

    model_config = ConfigDict(frozen=True)

    row: int
    cell: str
    cells: int = 1  # the number of cells that are not of the type
    of: int = 1  # the number of cells that are not missing


class Column(BaseModel):
    """A column: its type, its number of missing values, and its statistics.

    `values` are the distinct values in sorted order, None if there are more than `MOST_VALUES_KEPT`; `counts` are their
    frequencies. A column of type `unsupported` cannot be learned from.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: TypeName | Literal["unsupported"]
    integer: bool = False
    missing: int = 0
    values: list[Scalar] | None = None
    counts: list[int] | None = None
    statistics: dict[str, Any] = {}
    labels: list[Scalar] | None = None  # the classes of a target, where they differ from `values`, such as yes and no
    label_counts: list[int] | None = None
    counts_rows: bool = False  # it only numbers or names the rows: no feature by default
    plain: bool = True  # every cell is empty or a plain number
    date_format: str | None = None  # of a datetime in texts
    reason: str = ""  # why it has its type
    examples: list[str] = []
    misfits: dict[TypeName, Misfit] = {}  # why it cannot have another type
    first_missing: int | None = None  # the row of the first value that is missing, from 0
    bins: Bins | None = None  # of numbers and times with more than `MOST_VALUES_KEPT` values; earlier surveys have none

    def is_feature(self, rows: int) -> bool:
        """Whether it is a feature of a spec that names none; `rows` is the table's number of rows."""
        return self.missing < rows and not self.counts_rows and self.type != "unsupported"

    def target_values(self) -> tuple[list[Scalar] | None, list[int] | None]:
        """The classes of the column as a target, and their frequencies."""
        return (self.values, self.counts) if self.labels is None else (self.labels, self.label_counts)


class Archive(BaseModel):
    """How a zip archive of files is a table: the column that has the files, and its type; and the name and the media type of the
    table beside them. Without one, the folders of the files are their labels."""

    model_config = ConfigDict(frozen=True)

    column: str
    type: TypeName
    table: str | None = None
    media_type: str | None = None


class Schema(BaseModel):
    """The columns of a table, its number of rows, and how its file is read.

    `target` is the column to learn of a spec that names none. `left_out` are the positions, from 0 and rising, of what is left
    out of the file's rows, or files, since it is broken.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    columns: list[Column]
    reading: Reading = LEGACY_READING
    target: str | None = None
    archive: Archive | None = None
    left_out: list[int] = []

    def column(self, name: str) -> Column | None:
        """The column of this name, or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in reversed(self.columns)}

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


def how_of(schema: Schema, name: str) -> How:
    """How the texts of a column are read."""
    reading, column = schema.reading, schema.column(name)
    date_format = reading.date_formats.get(name, None if column is None else column.date_format)
    return How(frozenset(reading.missing), reading.decimal, date_format, reading.trim)
