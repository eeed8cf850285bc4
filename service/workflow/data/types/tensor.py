"""Tensors: values that are arrays of numbers, all of one shape."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.workflow.data.schema import Column
from service.workflow.data.table import Numbers, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.errors import invalid
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    from torch import Tensor

    from service.workflow.signature import Input

MOST_NUMBERS = 2**24  # in one value
COPIED_BYTES = 2**24  # at a time
LARGEST_BYTE = 255
_CHANNELS = (1, 3)
_IMAGE, _CLIP = 3, 4  # dimensions of a value


class TensorFeature(Feature):
    """The shape and the type of a tensor's numbers."""

    shape: Annotated[list[Annotated[int, Field(ge=1, le=MOST_NUMBERS)]], Field(min_length=1, max_length=4)] | None = (
        Field(default=None, description="of one value: that of the data")
    )
    dtype: Literal["float32", "uint8"] | None = Field(default=None, description="of its numbers: that of the data")


class TensorType(ShapedType):
    """An array of numbers of 1 to 4 dimensions, kept as float32, or as uint8 if its numbers are bytes."""

    name: ClassVar[str] = "tensor"
    no_target: ClassVar[str | None] = "holds arrays of numbers"
    expects: ClassVar[str] = "an array of numbers"
    feature: ClassVar[type[Feature]] = TensorFeature

    def refusal(self, column: Column) -> str | None:
        """Any other column has single values."""
        return None if column.type == self.name else f"is a {column.type} and holds no arrays of numbers"

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """The shape and the type of the column.

        Raises:
            InvalidSpec: the feature says others.
        """
        assert isinstance(feature, TensorFeature)  # noqa: S101 - it is of `self.feature`
        shape, dtype = column.statistics["shape"], column.statistics["dtype"]
        if feature.shape not in (None, shape):
            raise invalid("/shape", f"the values of {shown(column.name)} have the shape {shape}, not {feature.shape}")
        if feature.dtype not in (None, dtype):
            raise invalid("/dtype", f"the values of {shown(column.name)} are {dtype}, not {feature.dtype}")
        return TensorFeature(type=self.name, shape=shape, dtype=dtype)

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """The shape, and uint8 for bytes."""
        assert isinstance(feature, TensorFeature)  # noqa: S101 - as above
        return {"shape": feature.shape} | ({"dtype": "uint8"} if feature.dtype == "uint8" else {})

    def to_tensor(self, of: "Input", column: Values, cache: TensorCache) -> "Tensor":
        """A copy, part by part: the array may be a file."""
        import torch

        assert isinstance(column, np.ndarray)  # noqa: S101 - it was read as arrays
        made = cache.empty(tuple(column.shape), torch.uint8 if of.dtype == "uint8" else torch.float32)
        rows = max(1, COPIED_BYTES // max(1, math.prod(column.shape[1:]) * column.itemsize))
        for start in range(0, len(column), rows):
            part = np.array(column[start : start + rows], np.uint8 if of.dtype == "uint8" else np.float32)
            made[start : start + rows] = torch.from_numpy(part)
        return made

    def from_request(self, of: "Input", values: Sequence[Any]) -> Values:
        """Nested lists of numbers of the input's shape; zeros for a missing one.

        Raises:
            InvalidValue: the first value that is none.
        """
        from service.workflow.data.values import InvalidValue  # which imports the registry, and that this file

        shape, dtype = tuple(of.shape or ()), np.dtype(np.uint8 if of.dtype == "uint8" else np.float32)
        made = np.zeros((len(values), *shape), dtype)
        for row, value in enumerate(values):
            try:
                if value is not None:
                    made[row] = _array(value, shape, dtype)
            except ValueError as error:
                raise InvalidValue(row, str(error)) from None
        return made

    def channel_axis(self, shape: Sequence[int]) -> int | None:
        """The last axis of a row or a table of numbers; of an image the first, as torch has it, unless only the last has 1 or 3
        entries; of a clip the second, after its frames."""
        if len(shape) < _IMAGE:
            return len(shape) - 1
        if len(shape) == _CLIP:
            return 1
        return 2 if shape[2] in _CHANNELS and shape[0] not in _CHANNELS else 0


def _array(value: Any, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Numbers:
    """A value of JSON, or an array, as an array of a shape.

    Raises:
        ValueError: it is none.
    """
    bytes_ = dtype == np.uint8
    wanted = f"expected an array of {'whole numbers from 0 to 255' if bytes_ else 'numbers'} of the shape {[*shape]}"
    try:
        found = np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{wanted}, not lists of different lengths") from None
    if found.dtype.kind not in "iuf":
        raise ValueError(f"{wanted}, not {shown(value)}")
    if found.shape != shape:
        raise ValueError(f"{wanted}, not of {[*found.shape]}")
    if bytes_:
        if found.size and not (found.min() >= 0 and found.max() <= LARGEST_BYTE and (found == np.floor(found)).all()):
            raise ValueError(f"{wanted}, and it has others")
        return found.astype(dtype)
    with np.errstate(over="ignore"):
        found = found.astype(dtype)
    if not np.isfinite(found).all():
        raise ValueError(f"{wanted}, and one of them is beyond what a float32 can hold")
    return found
