"""The shapes of the tensors that a network takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.errors import invalid

Shape = tuple[int, ...]
FEATURES = "features"


@dataclass(frozen=True)
class InputTensor:
    """An input tensor of a network, [n, *shape].

    `type` is that of the column that it comes from, such as `image`; None for the encoded columns of a table, of which the
    first `normalized` are normalized numbers. If `ids` is not None, its values are int64, at least 0 and less than `ids`,
    where 0 fills up what is shorter; else they are float32.
    """

    shape: Shape
    type: str | None = None
    ids: int | None = None
    normalized: int = 0

    @property
    def channels_first(self) -> bool:
        """Whether its type says that the channels of pixels are the axis before rows and columns."""
        kind = COLUMN_TYPES.get(self.type or "")
        return isinstance(kind, ShapedType) and kind.channels_first

    def zeros(self, rows: int, device: str | None = None) -> torch.Tensor:
        """A tensor of this kind with `rows` rows."""
        dtype = torch.float32 if self.ids is None else torch.int64
        return torch.zeros(rows, *self.shape, dtype=dtype, device=device)


@dataclass(frozen=True)
class InputShapes:
    """The input tensors of a network by name. All encoded columns of a table are one tensor, `features` [n, d]; a column whose
    values have a shape is a tensor of its own name. A network with one input tensor is called with that tensor, one with
    several with a dict of them by name.
    """

    by_name: Mapping[str, InputTensor]

    @classmethod
    def of_columns(cls, count: int) -> Self:
        """The shapes for a table with this number of encoded columns, which are all normalized numbers."""
        return cls({FEATURES: InputTensor((count,), normalized=count)})

    @property
    def only(self) -> InputTensor:
        """The only input tensor.

        Raises:
            InvalidSpec: there are several.
        """
        if len(self.by_name) != 1:
            message = f"this kind of model takes one tensor, and the inputs are {len(self.by_name)}: {self}"
            raise invalid("/model/kind", message)
        return next(iter(self.by_name.values()))

    @property
    def shape(self) -> Shape:
        """The shape of the only input tensor, without its rows. Raises InvalidSpec if there are several."""
        return self.only.shape

    @property
    def features(self) -> int:
        """The number of features d of a network that takes one tensor [n, d].

        Raises:
            InvalidSpec: the inputs have other shapes, or are not numbers.
        """
        if len(self.shape) != 1 or self.only.ids is not None:
            raise invalid("/model/kind", f"this kind of model takes rows of numbers, not {self}")
        return self.shape[0]

    @property
    def normalized(self) -> int:
        """How many of the features of a network that takes one tensor [n, d] are normalized numbers, which come first."""
        return self.only.normalized

    @property
    def size(self) -> int:
        """How many numbers one row has in all tensors together."""
        return sum(math.prod(each.shape) for each in self.by_name.values())

    def zeros(self, rows: int, device: str | None = None) -> torch.Tensor | dict[str, torch.Tensor]:
        """What a network is called with, for `rows` rows of zeros."""
        made = {name: each.zeros(rows, device) for name, each in self.by_name.items()}
        return made if len(made) > 1 else next(iter(made.values()))

    def __str__(self) -> str:
        return ", ".join(f"{name} {['n', *each.shape]}".replace("'", "") for name, each in self.by_name.items())
