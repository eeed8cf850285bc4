"""What is known of a table without reading it again: its rows, and its columns with their types and statistics."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Scalar = bool | int | float | str
ColumnType = Literal["number", "category", "boolean", "datetime"]
MOST_VALUES_KEPT = 1000
MOST_COLUMNS = 10_000
BATCH_ROWS = 50_000  # of a file in memory at a time


class Column(BaseModel):
    """A column: its type, how many values are missing, and its statistics.

    `values` holds the distinct values in sorted order while there are at most `MOST_VALUES_KEPT` of them, else None;
    `counts` how often each comes.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnType
    integer: bool = False
    missing: int = 0
    values: list[Scalar] | None = None
    counts: list[int] | None = None
    statistics: dict[str, Any] = {}


class Schema(BaseModel):
    """The columns of a table, and how many rows it has."""

    model_config = ConfigDict(frozen=True)

    rows: int
    columns: list[Column]

    def column(self, name: str) -> Column | None:
        """The column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]
