"""A kind of model that an operator installs: linear regression on the powers of the features."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.tasks import Task


class PolynomialRegressionSpec(ModelKind):
    """Linear regression on each feature and its powers up to `degree`."""

    tasks: ClassVar = frozenset({Task.REGRESSION})
    heads: ClassVar = False

    kind: Literal["polynomial_regression"] = "polynomial_regression"
    degree: int = Field(default=2, ge=1, le=16)

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """The network, freshly drawn."""
        return PolynomialRegression(inputs.features, outputs, self.degree)


class PolynomialRegression(nn.Module):
    """From features [n, d] to targets [n, t] over [x, x², …, x^degree]."""

    def __init__(self, features: int, targets: int, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.linear = nn.Linear(features * degree, targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The weighted sum of the powers."""
        return self.linear(torch.cat([x**power for power in range(1, self.degree + 1)], dim=1))
