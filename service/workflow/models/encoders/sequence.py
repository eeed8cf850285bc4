"""Encoders of sequences: steps of a row one after another, such as the words of a text or the frames of a video."""

from typing import Literal

from torch import Tensor, nn

from service.workflow.models.encoders.encoder import Encoder
from service.workflow.models.encoders.text import mean_of_real

Cell = Literal["LSTM", "GRU"]


class Steps(nn.Module):
    """An encoder on each step: from [n, steps, *shape] to [n, steps, width]."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """From [n, steps, *shape] to [n, steps, width]."""
        steps = x.shape[1]
        found: Tensor = self.encoder(x.flatten(0, 1))
        shaped: Tensor = found.unflatten(0, (-1, steps))
        return shaped


class MeanOfSteps(Encoder):
    """The mean of an encoder's answers over the steps, [n, width]."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.width = encoder.width
        self.steps = Steps(encoder)

    def forward(self, x: Tensor) -> Tensor:
        """From [n, steps, *shape] to [n, width]."""
        found: Tensor = self.steps(x)
        return found.mean(dim=1)


class Recurrent(Encoder):
    """From steps to the mean of a recurrent network's outputs, [n, hidden], or twice as wide if it also reads backwards.

    Args:
        steps: from the input [n, *shape] to [n, length, dim]; None if that is the input.
        dim: the width of a step.
        ids: whether the input is ids [n, length], where 0 is padding. It comes last, so that no forward step sees it; backwards
            it is read first, as zeros. The mean leaves it out.
    """

    def __init__(
        self,
        steps: nn.Module | None,
        dim: int,
        cell: Cell,
        hidden: int,
        layers: int,
        *,
        bidirectional: bool,
        dropout: float = 0.0,
        ids: bool = False,
    ) -> None:
        super().__init__()
        self.width = hidden * (2 if bidirectional else 1)
        self.ids = ids
        self.steps = steps
        self.cells: nn.RNNBase = getattr(nn, cell)(
            dim, hidden, layers, batch_first=True, bidirectional=bidirectional, dropout=dropout if layers > 1 else 0.0
        )

    def forward(self, x: Tensor) -> Tensor:
        """From [n, *shape] to [n, width]."""
        real = x != 0 if self.ids else None
        steps = x if self.steps is None else self.steps(x)
        found, _ = self.cells(steps)
        return mean_of_real(found, real)
