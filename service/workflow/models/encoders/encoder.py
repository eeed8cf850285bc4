"""The base class of encoders."""

from abc import abstractmethod

from torch import Tensor, nn


class Encoder(nn.Module):
    """From an input tensor [n, *shape] to rows of numbers [n, width]. The number of rows n may be any, also 0."""

    width: int

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """From [n, *shape] to [n, width]."""
