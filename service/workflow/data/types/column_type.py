"""The base class of column types, and what their files share."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from service.workflow.data.schema import Column, Misfit
from service.workflow.data.table import Numbers, Texts, Values
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar
from service.workflow.errors import ExportFailed
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from service.workflow.data.types.evidence import Evidence
    from service.workflow.signature import Input

LONGEST_CELL = 1000  # characters that are shown of a text


class TypeSurvey:
    """The part of a column's survey that depends on its type."""

    def __init__(self, how: How) -> None:
        self.how = how
        self.integer = False  # whether all values are whole numbers

    def add_numbers(self, numbers: Numbers) -> None:
        """Adds a batch of values without the missing ones [n], unless they are texts."""

    def add(self, series: "pl.Series", values: "pl.Series", before: int) -> None:
        """Adds a batch of a file's column, as it is in the file and as `parse` returns it, after this number of rows."""

    def add_texts(self, texts: Texts) -> None:
        """Adds the texts of records in a spec, if they are texts."""

    def statistics(self) -> dict[str, Any]:
        """The statistics in the schema."""
        return {}

    def notes(self) -> list[str]:
        """Sentences for the owner of the data, without the column's name."""
        return []

    def labels(self, values: list[Scalar] | None, counts: list[int] | None) -> Counter[Any] | None:
        """The classes of a target with their frequencies, if they are not the distinct values."""
        return None

    def head(self, series: "pl.Series", values: "pl.Series") -> list[Any]:
        """The first rows of a batch as clients see them; None for a missing value."""
        cut = (each[:LONGEST_CELL] if isinstance(each, str) else each for each in values.to_list())
        return [None if each != each else each for each in cut]

    def counts_rows(self, rows: int, *, index: bool, gaps: bool) -> bool:
        """Whether the column only numbers or names the `rows` rows. `index` if it has the name of an index, `gaps` if that may
        lack rows."""
        return False


class ColumnType(ABC):
    """A type of columns: how it is inferred, surveyed, read from a table and from a request, encoded, drawn and exported.
    To add one: a subclass in a file of its own, and its name in the table of `registry.py`."""

    name: ClassVar[str]
    precedence: ClassVar[int] = 1  # types with lower values are tried first on a column
    survey: ClassVar[type[TypeSurvey]] = TypeSurvey
    texts: ClassVar[bool] = False  # whether a table keeps its values as `Texts`, not as numbers
    float64: ClassVar[bool] = False  # whether a table always keeps its numbers as float64
    numeric: ClassVar[bool] = False  # whether its values are plain numbers, the targets of a regression
    label: ClassVar[bool] = False  # whether several targets of it are labels
    fits_fields: ClassVar[bool] = False  # whether fields of an input are learned from the training rows
    categorical: ClassVar[bool] = False  # whether a model learns a list of its values, `Input.categories`
    lists_values: ClassVar[bool] = True  # whether a schema lists its distinct values, if they are few
    no_target: ClassVar[str | None] = None  # why it cannot be a target
    dates: ClassVar[bool] = False  # whether it reads columns that a file has as dates
    raw_columns: ClassVar[int] = 1  # of the raw features, for one input
    datatype: ClassVar[str | None] = "BYTES"  # of the Open Inference Protocol; None for FP32 or FP64
    chart_type: ClassVar[Literal["Q", "T", "N"]] = "N"  # quantitative, temporal or nominal, in Vega-Lite
    expects: ClassVar[str]  # a value, in messages
    example: ClassVar[Scalar | None] = None  # a value as JSON, in model cards
    feature: ClassVar[type[Feature]] = Feature  # how a spec names it, with its options
    shaped: ClassVar[bool] = False  # whether its values have a shape: a `ShapedType`
    hint: ClassVar[str] = ""  # what to do if a column cannot be of this type

    # Inference

    @abstractmethod
    def fits(self, evidence: "Evidence") -> "str | None":
        """The reason why a column is of this type; None if one of its texts is not."""

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first cell that is not of this type, if it is known."""
        return None

    @abstractmethod
    def holds(self, dtype: "pl.DataType") -> bool:
        """Whether a file's column with this data type is of this type."""

    def note(self, name: str, evidence: "Evidence", *, asked: bool) -> str | None:
        """A sentence for the owner of a column of this type; `asked` if the owner has named the type."""
        return None

    # Reading

    @abstractmethod
    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """The values of a column as floats, or as texts if `texts`; null for a value that is missing or not of this type."""

    def wanted(self, how: How) -> str:
        """What messages expect as a value."""
        return self.expects

    def from_values(self, values: Sequence[Any], how: How) -> Numbers | None:
        """All values of JSON at once as float64 [n], NaN for a missing one; None if they must be read one by one."""
        return None

    @abstractmethod
    def from_value(self, value: Any, how: How) -> float | str | None:
        """A value of JSON as a table keeps it, None for a missing one.

        Raises:
            ValueError: it is of another type; the message says what is expected.
        """

    @abstractmethod
    def from_text(self, text: str, how: How) -> float | str | None:
        """A text of a file or a query as a table keeps it, None for a missing value.

        Raises:
            ValueError: it is not of this type; the message says what is expected.
        """

    def dtype(self, *, exact: bool) -> "np.dtype[Any]":
        """The type of its numbers in a table, float64 if `exact`."""
        return np.dtype(np.float64 if exact or self.float64 else np.float32)

    # Survey

    def scalars(self, values: list[Any], *, integer: bool) -> list[Scalar]:
        """Distinct values of a column as they are in the schema."""
        return values

    def record_labels(self, values: Sequence[Any], present: Numbers, how: How) -> Counter[Any]:
        """The classes of a target in records with their frequencies; empty if they are the distinct values."""
        return Counter()

    # A column as an input

    def refusal(self, column: Column) -> str | None:
        """Why a column with another type in its schema cannot be read as this one, if that is known."""
        if column.type == "datetime" and column.date_format is None:
            return f"is a {column.type} and cannot be read as {self.name}"
        if (misfit := column.misfits.get(self.name)) is None:
            return None
        where = f"row {misfit.row + 1} holds {shown(misfit.cell)}" if misfit.cell else column.reason
        return f"cannot be read as {self.name}: {where}"

    def input_fields(self, column: Column, how: How) -> dict[str, Any]:
        """Fields of `Input` that follow from the column's schema."""
        return {}

    def manifest_fault(self, of: "Input") -> str | None:
        """What is wrong with an input of this type in the manifest of a bundle, after a JSON pointer; None if nothing is."""
        return None

    def fitted_fields(self, column: Values, of: "Input") -> dict[str, Any]:
        """Fields of the input `of` that are learned from the training rows [n]; only called if `fits_fields`."""
        return {}

    def largest_fields(self, column: Column) -> dict[str, Any]:
        """The largest possible `fitted_fields`."""
        return {}

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """The columns of the raw features, each [n], NaN for a missing value."""
        assert not isinstance(column, Texts)  # noqa: S101 - it was read as numbers
        return [column]

    def decoded(self, columns: "Sequence[Numbers]", categories: Sequence[str] | None) -> "pl.Series":
        """The values that columns of the raw features encode, as far as these hold them; null for a missing one."""
        import polars as pl

        return pl.Series(columns[0], nan_to_null=True)

    def encode_tensors(self, columns: "Tensor") -> "list[Tensor]":
        """`encode` in torch's operations, for exports: from columns float64 [n, k] of numbers, or of positions among the
        categories, to as many columns of the raw features for each, [n, k].

        Raises:
            ExportFailed: there is no such encoding.
        """
        if self.raw_columns == 1:
            return [columns]
        raise ExportFailed(f"a column of type {self.name} cannot be encoded outside of Modelwright")

    def keeps(self, number: float) -> bool:
        """Whether a table may keep this finite number as a value of this type."""
        return True

    def plotted(self, value: float | str) -> Scalar:
        """A value of a table as charts show it."""
        return value


def expected(what: str, value: object) -> ValueError:
    """An error with what is expected and what was given."""
    return ValueError(f"expected {what}, not {shown(value)}")
