"""The shapes of the tensors that a network takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from service.workflow.errors import invalid

Shape = tuple[int, ...]
FEATURES = "features"


@dataclass(frozen=True)
class InputShapes:
    """The input tensors of a network by name, each [n, *shape]. All encoded columns of a table are one tensor, `features`
    [n, d]. A network with one input tensor is called with that tensor.
    """

    by_name: Mapping[str, Shape]

    @classmethod
    def of_columns(cls, count: int) -> Self:
        """The shapes for a table with this number of encoded columns."""
        return cls({FEATURES: (count,)})

    @property
    def shape(self) -> Shape:
        """The shape of the only input tensor, without its rows.

        Raises:
            InvalidSpec: there are several.
        """
        if len(self.by_name) != 1:
            message = f"this kind of model takes one tensor, and the inputs are {len(self.by_name)}: {self}"
            raise invalid("/model/kind", message)
        return next(iter(self.by_name.values()))

    @property
    def features(self) -> int:
        """The number of features d of a network that takes one tensor [n, d].

        Raises:
            InvalidSpec: the inputs have other shapes.
        """
        if len(self.shape) != 1:
            raise invalid("/model/kind", f"this kind of model takes rows of numbers, not {self}")
        return self.shape[0]

    @property
    def size(self) -> int:
        """How many numbers one row has in all tensors together."""
        return sum(map(math.prod, self.by_name.values()))

    def __str__(self) -> str:
        return ", ".join(f"{name} {['n', *shape]}".replace("'", "") for name, shape in self.by_name.items())
