"""The base class of column types whose values have a shape, such as images: each is a tensor of its own beside the columns of a
table."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from service.workflow.data.schema import Column
from service.workflow.data.table import Numbers, Texts, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.texts.encoding import EncodingName
from service.workflow.data.types.column_type import ColumnType, expected
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.how import How

if TYPE_CHECKING:
    import polars as pl
    import torch
    from torch import Tensor

    from service.workflow.data.types.evidence import Evidence
    from service.workflow.signature import Input


class ShapedType(ColumnType):
    """A type of columns whose values have a shape. All tensors here are raw: what the model's own scaling takes."""

    shaped: ClassVar[bool] = True
    raw_columns: ClassVar[int] = 0  # it has none: its tensor is beside the columns of a table
    file_example: ClassVar[tuple[str, str] | None] = (
        None  # the name and media type of a value that is a file, in model cards
    )
    channels_first: ClassVar[bool] = False  # whether the channels of pixels are the first axis before rows and columns
    augments: ClassVar[bool] = False  # whether `augment` changes anything
    files: ClassVar[bool] = False  # whether a value of a request may be the bytes of a file
    media_types: ClassVar[tuple[str, ...]] = ()  # of a request's body that is one value; image/png, say, or video/*
    quick_bytes: ClassVar[int] = 0  # of a request, up to which its values are read in well under a millisecond

    def suited(self, feature: Feature, text_encoding: EncodingName) -> Feature:
        """The feature for a kind of model that prefers this encoding of texts."""
        return feature

    @abstractmethod
    def resolved(self, feature: Feature, column: Column) -> Feature:
        """The feature with every option filled in, by the column's statistics.

        Raises:
            InvalidSpec: an option does not fit the column, or something that the type needs is not installed.
        """

    @abstractmethod
    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """Fields of `Input` that follow from a resolved feature: its `shape`, of one row, and `dtype` where it is no float32."""

    @abstractmethod
    def to_tensor(self, of: "Input", column: Values, cache: TensorCache) -> "Tensor":
        """The raw tensor [n, *shape] of a column, as a data set or a request has it. An array [n, *shape] is taken as it is.

        Raises:
            InvalidData: a value cannot be read; its row, and its file if it has one, are named.
        """

    def in_words(self, shape: Sequence[int]) -> str:
        """What values of this shape are, in model cards."""
        return f"arrays of {' × '.join(map(str, shape))} numbers"

    def blank(self, of: "Input", rows: int) -> "Tensor":
        """A raw tensor [rows, *shape] of zeros."""
        import torch

        dtype = torch.uint8 if of.dtype == "uint8" else torch.float32 if self.ids(of) is None else torch.int64
        return torch.zeros(rows, *(of.shape or ()), dtype=dtype)

    def takes(self, media_type: str) -> bool:
        """Whether a body of this media type, in lower case, may be one value."""
        family = media_type.split("/")[0] + "/*"
        return media_type in self.media_types or family in self.media_types

    def pixels(self, value: Any) -> int:
        """How many pixels reading a value of a request takes in memory at once, as far as its header says."""
        return 0

    @abstractmethod
    def from_request(self, of: "Input", values: Sequence[Any]) -> Values:
        """A column from values of a request, for `to_tensor`: texts, or bytes if `files`; None is a missing one.

        Raises:
            InvalidValue: the first value that is not of this type, with its row.
        """

    def ids(self, of: "Input") -> int | None:
        """How many different values there are, if they are whole numbers that a network looks up; None if they are scaled."""
        return None

    def channel_axis(self, shape: Sequence[int]) -> int | None:
        """The axis of one row's shape whose entries are scaled each by their own mean and deviation; None if all are by one."""
        return None

    def augment(self, feature: Feature, batch: "Tensor", generator: "torch.Generator") -> "Tensor":
        """A batch [m, *shape] of raw values, randomly changed, for training; the batch itself if nothing is to be changed."""
        return batch

    # No table keeps these values as numbers or texts, and no type is inferred from a column's texts, unless a subclass says so.

    def fits(self, evidence: "Evidence") -> str | None:
        """Never: it is not inferred from texts."""
        return None

    def holds(self, dtype: "pl.DataType") -> bool:
        """No column of a table."""
        return False

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Nothing is of this type: all values are refused."""
        return series.is_null().replace_strict(True, None, default=None, return_dtype=series.dtype)

    def from_value(self, value: Any, how: How) -> float | str | None:
        """A value of JSON that a table keeps: there is none."""
        raise expected(self.wanted(how), value)

    def from_text(self, text: str, how: How) -> float | str | None:
        """A text that a table keeps: there is none."""
        raise expected(self.wanted(how), text)

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """No columns of the raw features."""
        return []
