"""What every kind of model says of itself in a spec."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

from torch import nn

from service.workflow.spec_base import Specification
from service.workflow.tasks import Task


class ModelKind(Specification):
    """A kind of model. To add one: a subclass in a file of its own, with `kind: Literal[…]`, and a line in the table `KINDS`;
    or, outside of this repository, an entry point in the group `modelwright.models`."""

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    heads: ClassVar[bool] = True  # whether it can end in the module that a loss needs
    normalizes: ClassVar[bool] = True  # whether its features are normalized when the spec does not say
    stops_early: ClassVar[bool] = True  # whether it stops early when the spec does not say

    kind: str

    def sized(self, rows: int, columns: int) -> Self:
        """The kind with what depends on the table filled in, for so many training rows and encoded columns."""
        return self

    def training_defaults(self, rows: int, columns: int) -> dict[str, Any]:
        """Training settings and, under `optimizer`, an optimizer, that this kind wants for so many training rows and
        encoded columns, where the spec names none."""
        return {}

    @abstractmethod
    def build(self, features: int, outputs: int, head: nn.Module | None) -> nn.Module:
        """The network from encoded features [n, features] to [n, outputs], freshly drawn from torch's global generator,
        ended by the head if there is one. An ensemble has an attribute `members` and gives [members · n, outputs].

        Raises:
            ValueError: its parts do not fit together.
        """
