"""The base class of column types, and what their files share."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from service.workflow.data.schema import Column, Misfit
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

    from service.workflow.data.types.evidence import Evidence

LONGEST_CELL = 1000  # characters that are shown of a text


class TypeSurvey:
    """What a survey gathers of a column of one type, beside what it gathers of every column."""

    def __init__(self, how: How) -> None:
        self.how = how
        self.integer = False  # whether all values are whole numbers

    def add_numbers(self, numbers: Numbers) -> None:
        """A batch of values that are not missing [n], unless they are texts."""

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """A batch of a file's column, as it stands there and as `parse` returns it, after this number of rows."""

    def statistics(self) -> dict[str, Any]:
        """Its statistics, for the schema."""
        return {}

    def notes(self) -> list[str]:
        """What the owner of the data should know, without the column's name."""
        return []

    def labels(self, values: list[Scalar] | None, counts: list[int] | None) -> Counter[Any] | None:
        """The classes of a target and how often each occurs, where they are not the distinct values themselves."""
        return None

    def head(self, series: "pl.Series", values: "pl.Series") -> list[Any]:
        """The first rows of a batch as they are shown; None for a missing value."""
        cut = (each[:LONGEST_CELL] if isinstance(each, str) else each for each in values.to_list())
        return [None if each != each else each for each in cut]

    def counts_rows(self, rows: int, *, index: bool, gaps: bool) -> bool:
        """Whether the column only counts or names the rows.

        Args:
            rows: how many rows there are.
            index: whether the column is named as an index is.
            gaps: whether rows may have been left out of the index.
        """
        return False


class ColumnType(ABC):
    """A type of columns: how it is inferred, surveyed, read from a table and from a request, encoded, drawn and exported.
    To add one: a subclass in a file of its own, and its name in the table of `registry.py`."""

    name: ClassVar[str]
    precedence: ClassVar[int] = 1  # types with a lower one are tried on a column before
    texts: ClassVar[bool] = False  # whether a table keeps its values as texts, and not as numbers
    float64: ClassVar[bool] = False  # whether a table always keeps its numbers as float64
    numeric: ClassVar[bool] = (
        False  # whether its values are the numbers that the file has: only they are for a regression
    )
    label: ClassVar[bool] = False  # whether its values are 0 and 1, so that several targets of it are labels
    categorical: ClassVar[bool] = False  # whether a model learns a list of its values, `Input.categories`
    no_target: ClassVar[str | None] = None  # why it can be no target
    dates: ClassVar[bool] = False  # whether it takes the dates that a file has as such
    slots: ClassVar[int] = 1  # numbers that stand for a value in the raw features
    datatype: ClassVar[str | None] = "BYTES"  # of the Open Inference Protocol; None for that of the numbers themselves
    chart_type: ClassVar[Literal["Q", "T", "N"]] = "N"  # quantitative, temporal or nominal, as Vega-Lite has them
    hint: ClassVar[str] = ""  # what to do where a column cannot be of this type

    # Inference

    @abstractmethod
    def fits(self, evidence: "Evidence") -> "str | None":
        """Why every text of a column that is not missing stands for such a value; None where one does not."""

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first cell, as far as it is known, for which a column cannot be of this type."""
        return None

    @abstractmethod
    def holds(self, dtype: "pl.DataType") -> bool:
        """Whether a column that a file has with this type is of this one."""

    def note(self, name: str, evidence: "Evidence", *, asked: bool) -> str | None:
        """What the owner of a column that was found to be, or was asked to be, of this type should know of it."""
        return None

    # Reading

    @abstractmethod
    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """The values of a column as floats, or as texts if `texts`; null where one is missing, or is none."""

    @abstractmethod
    def wanted(self, how: How) -> str:
        """What a value of the type is, as messages say what would be right."""

    def from_values(self, values: Sequence[Any], how: How) -> Numbers | None:
        """All values of JSON at once, as float64 [n] with NaN for missing; None where one needs a closer look."""
        return None

    @abstractmethod
    def from_value(self, value: Any, how: How) -> float | str | None:
        """A value of JSON as its column keeps it, None for a missing one.

        Raises:
            ValueError: it is of another type; the message says what would be right.
        """

    @abstractmethod
    def from_text(self, text: str, how: How) -> float | str | None:
        """What a text stands for in a file or a query, None for a missing value.

        Raises:
            ValueError: it stands for none; the message says what would be right.
        """

    def dtype(self, *, exact: bool) -> "np.dtype[Any]":
        """The type of its numbers in a table; `exact` for float64 in any case."""
        return np.dtype(np.float64 if exact or self.float64 else np.float32)

    # Survey

    def survey(self, how: How) -> TypeSurvey:
        """A new survey of a column of this type."""
        return TypeSurvey(how)

    def scalars(self, values: list[Any], *, integer: bool) -> list[Scalar]:
        """Distinct values of a column as its schema has them."""
        return values

    def record_labels(self, values: Sequence[Any], present: Numbers, how: How) -> Counter[Any]:
        """The classes of a target in records, where they are not the distinct values themselves; else none."""
        return Counter()

    # A column as an input

    def refusal(self, column: Column) -> str | None:
        """Why a column that was surveyed as another type cannot be read as this one, as far as its schema tells."""
        if column.type == "datetime" and column.date_format is None:
            return f"is a {column.type} and cannot be read as {self.name}"
        if (misfit := column.misfits.get(self.name)) is None:
            return None
        where = f"row {misfit.row + 1} holds {shown(misfit.cell)}" if misfit.cell else column.reason
        return f"cannot be read as {self.name}: {where}"

    def input_fields(self, column: Column, how: How) -> dict[str, Any]:
        """Fields of the model's `Input` that follow from the column's schema."""
        return {}

    def fitted_fields(self, column: Numbers | Texts) -> dict[str, Any]:
        """Fields of the model's `Input` that are learned from the training rows [n]."""
        return {}

    def largest_fields(self, column: Column) -> dict[str, Any]:
        """Values for the fields of `fitted_fields` with which a model is as large as it can become."""
        return {}

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """The slots of the raw features, each [n], NaN where the value is missing."""
        assert not isinstance(column, Texts)  # noqa: S101 - it was read as numbers
        return [column]

    def plotted(self, value: float | str) -> Scalar:
        """A value of a table as charts show it."""
        return value


def expected(what: str, value: object) -> ValueError:
    """An error that says what would be right."""
    return ValueError(f"expected {what}, not {shown(value)}")
