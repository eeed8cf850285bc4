"""The multi-layer perceptron."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import Columns, Encoder
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.spec_base import COUNTED

Activation = Literal["ReLU", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Tanh", "Sigmoid"]
Width = Annotated[int, Field(ge=1, le=65_536), COUNTED]


class MLPSpec(EncoderKind):
    """Fully connected layers with an activation between them."""

    takes = "rows of numbers"

    kind: Literal["mlp"] = "mlp"
    hidden: list[Width] = Field(default=[64, 64], max_length=256, description="the width of each hidden layer")
    activation: Activation = "ReLU"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    normalization: Literal["BatchNorm1d", "LayerNorm"] | None = None
    residual: bool = Field(default=False, description="adds a layer's input to its output where the widths agree")

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """Linear, normalization, activation and dropout for each hidden layer, then Linear and the head."""
        layers, width = self._hidden_layers(inputs.features)
        layers.append(nn.Linear(width, outputs))
        return nn.Sequential(*layers) if head is None else nn.Sequential(*layers, head)

    def fits(self, of: InputTensor) -> bool:
        """Rows of numbers."""
        return of.ids is None and len(of.shape) == 1

    def encoder(self, of: InputTensor) -> Encoder:
        """The hidden layers; without any, the numbers as they are."""
        return Columns(*self._hidden_layers(of.shape[0]))

    def _hidden_layers(self, width: int) -> tuple[list[nn.Module], int]:
        layers: list[nn.Module] = []
        for hidden in self.hidden:
            layer = self._hidden_layer(width, hidden)
            layers.extend([Residual(*layer)] if self.residual and width == hidden else layer)
            width = hidden
        return layers, width

    def _hidden_layer(self, width: int, hidden: int) -> list[nn.Module]:
        layer: list[nn.Module] = [nn.Linear(width, hidden)]
        if self.normalization is not None:
            layer.append(getattr(nn, self.normalization)(hidden))
        layer.append(getattr(nn, self.activation)())
        if self.dropout:
            layer.append(nn.Dropout(self.dropout))
        return layer


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """From [n, width] to [n, width]."""
        changed: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return input + changed
