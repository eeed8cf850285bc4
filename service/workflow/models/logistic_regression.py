"""Logistic regression: a linear layer whose outputs are logits."""

from typing import Literal

from torch import Tensor, nn

from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.tasks import Task


class LogisticRegression(nn.Linear):
    """`weight` [outputs, features], `bias` [outputs], and the head that the loss requires."""

    def __init__(self, features: int, outputs: int, head: nn.Module | None) -> None:
        super().__init__(features, outputs)
        self.head = head

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """From features [n, d] to logits, or to the output of the head [n, outputs]."""
        logits = super().forward(input)
        return logits if self.head is None else self.head(logits)


class LogisticRegressionSpec(ModelKind):
    """A linear classifier."""

    kind: Literal["logistic_regression"] = "logistic_regression"

    tasks = frozenset({Task.BINARY, Task.MULTICLASS, Task.MULTILABEL})

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """A new module."""
        return LogisticRegression(inputs.features, outputs, head)
