"""The base class of all kinds of models."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

from torch import nn

from service.workflow.data.texts.encoding import EncodingName
from service.workflow.models.input_shapes import InputShapes
from service.workflow.spec_base import SpecBase
from service.workflow.tasks import Task
from service.workflow.training import Monitor


class ModelKind(SpecBase):
    """A kind of model. To add one: a subclass in a file of its own, with `kind: Literal[…]`, and a line in the table `KINDS`;
    or, in another package, an entry point in the group `modelwright.models`."""

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    heads: ClassVar[bool] = True  # whether `build` accepts a head
    normalizes: ClassVar[bool] = True  # whether its features are normalized when the spec does not say
    stops_early: ClassVar[bool] = True  # whether it stops early when the spec does not say
    monitor: ClassVar[Monitor] = "validation_loss"  # what early stopping watches when the spec does not say

    in_order: ClassVar[bool] = False  # whether the network uses the order of a text's ids

    kind: str

    def for_task(self, task: Task) -> Self:
        """The same kind with the defaults that depend on the task."""
        return self

    def sized(self, rows: int, inputs: InputShapes) -> Self:
        """The same kind with the sizes that the spec leaves out, for this number of training rows."""
        return self

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """Default training settings for this number of training rows; beside them may be a default `optimizer`, a `scheduler` for
        it (of a `OneCycleLR` the `total_steps` are filled in), and `loss`, arguments for the default loss if it has them."""
        return {}

    def text_encoding(self, name: str) -> EncodingName:
        """How the texts of this input become ids when the spec does not say: n-grams have no order."""
        return "bpe" if self.in_order else "ngrams"

    @abstractmethod
    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """A new network, initialised from torch's global random generator.

        Args:
            inputs: the shapes of its input tensors. Of a network for tables, `inputs.features` is the d of its input [n, d].
            outputs: the number of columns of its output [n, outputs].
            head: the last module, which the loss requires.

        Returns:
            The network. An ensemble has an attribute `members`, and its output is [members · n, outputs].

        Raises:
            InvalidSpec: its parts do not fit together, or not these inputs.
        """
