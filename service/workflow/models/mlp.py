"""The multi-layer perceptron."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from service.workflow.specification import Specification

Activation = Literal["ReLU", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Tanh", "Sigmoid"]
Width = Annotated[int, Field(ge=1, le=65_536)]


class MLPSpec(Specification):
    """Fully connected layers with an activation between them."""

    kind: Literal["mlp"] = "mlp"
    hidden: list[Width] = Field(default=[64, 64], max_length=256, description="the width of each hidden layer")
    activation: Activation = "ReLU"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    normalization: Literal["BatchNorm1d", "LayerNorm"] | None = None
    residual: bool = Field(default=False, description="adds a layer's input to its output where the widths agree")

    def build(self, features: int, outputs: int, head: nn.Module | None) -> nn.Module:
        """The module, freshly drawn."""
        return MLP(self, features, outputs, head)


class MLP(nn.Sequential):
    """Linear, (normalization,) activation(, dropout) for each hidden layer, then Linear and the head."""

    def __init__(self, spec: MLPSpec, features: int, outputs: int, head: nn.Module | None) -> None:
        layers: list[nn.Module] = []
        width = features
        for hidden in spec.hidden:
            layer = _hidden_layer(spec, width, hidden)
            layers.extend([Residual(*layer)] if spec.residual and width == hidden else layer)
            width = hidden
        layers.append(nn.Linear(width, outputs))
        if head is not None:
            layers.append(head)
        super().__init__(*layers)


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name
        """From [n, width] to [n, width]."""
        changed: torch.Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return input + changed


def _hidden_layer(spec: MLPSpec, width: int, hidden: int) -> list[nn.Module]:
    layer: list[nn.Module] = [nn.Linear(width, hidden)]
    if spec.normalization is not None:
        layer.append(getattr(nn, spec.normalization)(hidden))
    layer.append(getattr(nn, spec.activation)())
    if spec.dropout:
        layer.append(nn.Dropout(spec.dropout))
    return layer
