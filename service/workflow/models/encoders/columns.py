"""The encoder of the columns of a table."""

from torch import Tensor, nn

from service.workflow.models.encoders.encoder import Encoder


class Columns(Encoder):
    """From rows of numbers [n, d] through layers to [n, width]; without layers they stay as they are."""

    def __init__(self, layers: list[nn.Module], width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """From [n, d] to [n, width]."""
        found: Tensor = self.layers(x)
        return found
