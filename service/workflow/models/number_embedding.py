"""Embeddings of numbers: a network sees thresholds of a number better if it gets several functions of it.

Piecewise-linear embeddings of version B of Gorishniy, Rubachev, Babenko: "On Embeddings for Numerical Features in Tabular Deep
Learning" (NeurIPS 2022, arXiv 2203.05556), after the smooth clip of Holzmüller, Grinsztajn, Steinwart: "Better by Default"
(NeurIPS 2024, arXiv 2407.04491).
"""

import torch
from torch import Tensor, nn

WIDTH = 8  # features for each number
LIMIT = 3.0  # of the smooth clip
LARGEST = (
    1e6  # standard deviations: only a training part of 10¹² rows has a number so far off, and its square is finite
)
NARROWEST = 1e-30  # width of a bin, whose reciprocal is finite


class NumberEmbedding(nn.Module):
    """From features [n, d], of which the first `numbers` are standardized numbers, to [n, 8 · numbers + d - numbers].

    A number x becomes eight features: `bias` + z · `linear` + Σ `weight` · (how far x is in each bin, 0 … 1), where
    z = x / √(1 + (x / 3)²). `weight` [numbers, bins, 8] begins at zero, so that thresholds are learned where they help.

    Buffers [numbers, 1, bins]: the position of x in a bin is (x - `low`) · `scale`, limited to 0 … 1. `scale` is 0 for a bin
    without a width, of which there are more the fewer values a number has.
    """

    low: Tensor
    scale: Tensor

    def __init__(self, numbers: int, bins: int) -> None:
        super().__init__()
        self.numbers = numbers
        bound = WIDTH**-0.5
        self.linear = nn.Parameter(torch.empty(numbers, 1, WIDTH).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(numbers, 1, WIDTH).uniform_(-bound, bound))
        self.weight = nn.Parameter(torch.zeros(numbers, bins, WIDTH))
        self.register_buffer("low", torch.zeros(numbers, 1, bins))
        self.register_buffer("scale", torch.zeros(numbers, 1, bins))

    @property
    def bins(self) -> int:
        """The number of bins of each number."""
        return self.low.shape[2]

    @torch.no_grad()
    def fit(self, edges: Tensor) -> None:
        """Sets the bins to lie between these edges.

        Args:
            edges: for each number, ascending, [bins + 1, numbers], standardized. A number that is the same on all edges is
                constant in the training part; it gets no weight, since nothing can be learned about it.
        """
        ends = edges.t().to(torch.float64)
        widths = ends.diff(dim=1)
        self.low.copy_(ends[:, None, :-1])
        self.scale.copy_(torch.where(widths > 0, 1 / widths.clamp(min=NARROWEST), 0.0)[:, None])
        self.linear[ends[:, 0] == ends[:, -1]] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Embeds the numbers; the other features stay behind them as they are."""
        numbers = x[:, : self.numbers].clamp(-LARGEST, LARGEST).t()[:, :, None]
        # In this order, every step is rounded in the same way wherever it is computed, so narrow bins do not differ.
        positions = (numbers - self.low).mul_(self.scale).clamp_(0.0, 1.0)
        linear = torch.addcmul(self.bias, smooth_clip(numbers), self.linear)
        embedded = torch.baddbmm(linear, positions, self.weight).transpose(0, 1).flatten(1)
        return embedded if self.numbers == x.shape[1] else torch.cat([embedded, x[:, self.numbers :]], dim=1)


def smooth_clip(x: Tensor) -> Tensor:
    """x / √(1 + (x / 3)²): nearly x where that is small, and never beyond ±3."""
    return torch.addcmul(x.new_ones(()), x, x, value=LIMIT**-2).rsqrt() * x


def bin_edges(values: Tensor, bins: int) -> Tensor:
    """The edges of bins with about the same number of values each, ascending.

    Args:
        values: [n, columns]; NaN is left out. A column of up to `bins` + 1 different values has an edge at each of them.

    Returns:
        [bins + 1, columns]. The last edge is repeated where there are fewer; 0 where there is no value.
    """
    edges = values.new_zeros(bins + 1, values.shape[1])
    for at in range(values.shape[1]):
        column = values[:, at]
        known = column[~column.isnan()].sort().values
        if not len(known):
            continue
        found = known.unique_consecutive()
        if len(found) > bins + 1:
            ranks = torch.linspace(0, len(known) - 1, bins + 1, dtype=torch.float64).round().to(torch.int64)
            found = known[ranks].unique_consecutive()
        edges[: len(found), at] = found
        edges[len(found) :, at] = found[-1]
    return edges
