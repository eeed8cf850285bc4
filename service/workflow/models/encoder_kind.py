"""The base class of kinds that are an encoder of one input tensor, followed by layers to the outputs."""

import math
from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from service.workflow.errors import invalid
from service.workflow.models.defaults import default_for
from service.workflow.models.encoders import Encoder
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.kind import ModelKind


class EncoderKind(ModelKind):
    """A kind of model with an encoder, which `fusion` can have for one of its inputs too; a plug-in may be one."""

    takes: ClassVar[str]  # what its encoder takes, for messages

    @abstractmethod
    def fits(self, of: InputTensor) -> bool:
        """Whether its encoder takes this input."""

    def work(self, of: InputTensor) -> int:
        """What its encoder does for a row, in pixels that the first convolution of a `cnn` sees, for the default epochs."""
        return math.prod(of.shape)

    @abstractmethod
    def encoder(self, of: InputTensor) -> Encoder:
        """A new encoder of an input that fits, initialised from torch's global random generator."""

    def between(self, width: int) -> list[nn.Module]:
        """The layers between the encoder's answers [n, width] and the last Linear."""
        return []

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """The encoder, its layers, a Linear and the head."""
        of = inputs.only
        check_fit(self, next(iter(inputs.by_name)), of, "/model/kind")
        encoder = self.encoder(of)
        return Headed(encoder, self.between(encoder.width), encoder.width, outputs, head)


class Headed(nn.Module):
    """An encoder, layers on its answers, and a Linear to the outputs [n, outputs], with the head that the loss requires."""

    def __init__(
        self, encoder: Encoder, layers: list[nn.Module], width: int, outputs: int, head: nn.Module | None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        for layer in layers:
            width = getattr(layer, "out_features", width)
        ends = [nn.Linear(width, outputs), *([] if head is None else [head])]
        self.output = nn.Sequential(*layers, *ends)

    def forward(self, x: Any) -> Tensor:
        """From what the encoder takes to [n, outputs]."""
        values: Tensor = self.output(self.encoder(x))
        return values


def check_fit(kind: EncoderKind, name: str, of: InputTensor, pointer: str) -> None:
    """Checks that a kind takes an input.

    Raises:
        InvalidSpec: it does not; what it takes, and a kind that takes it, are named.
    """
    if not kind.fits(of):
        shape = str(InputShapes({name: of}))
        what = "" if of.type is None else f" of type {of.type}"
        message = f"{kind.kind} takes {kind.takes}, not {shape}{what}; {default_for(of)} does, say"
        raise invalid(pointer, message)


def hidden_layers(width: int, hidden: list[int], dropout: float) -> list[nn.Module]:
    """Dropout, Linear and ReLU for each hidden layer, then dropout."""
    dropped: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    made: list[nn.Module] = []
    for each in hidden:
        made += [*dropped, nn.Linear(width, each), nn.ReLU()]
        width = each
    return [*made, *dropped]
