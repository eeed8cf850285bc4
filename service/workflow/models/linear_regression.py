"""Linear regression, with the parameters of the PyTorch tutorial."""

from typing import Literal

import torch
from torch import nn

from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.tasks import Task


class LinearRegression(nn.Module):
    """weight · x + bias, both drawn by `torch.randn`, weight first.

    Shapes: on one feature and one target `weight` [1] and `bias` [1]; on d features and t targets `weight` [t, d]
    ([d] for one target) and `bias` [t].
    """

    def __init__(self, features: int, targets: int) -> None:
        super().__init__()
        shape = (features,) if targets == 1 else (targets, features)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(targets))
        if not self.weight.is_meta:  # torch would import sympy for it
            nn.init.normal_(self.weight)  # as torch.randn draws
            nn.init.normal_(self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From features [n, d] to targets [n, t]."""
        if self.weight.shape == (1,):
            return self.weight * x + self.bias
        return nn.functional.linear(x, self.weight.view(len(self.bias), -1), self.bias)


class LinearRegressionSpec(ModelKind):
    """weight · x + bias: one weight for each feature, and a bias."""

    kind: Literal["linear_regression"] = "linear_regression"

    tasks = frozenset({Task.REGRESSION})
    heads = False
    normalizes = False
    stops_early = False

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """A new module."""
        return LinearRegression(inputs.features, outputs)
