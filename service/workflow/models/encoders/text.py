"""Encoders of texts, whose input is ids [n, L], where 0 is padding."""

import torch
from torch import Tensor, nn

from service.workflow.models.encoders.encoder import Encoder


def embedding(count: int, dim: int, spread: float) -> Tensor:
    """A table of vectors, uniform within ± spread. Unlike torch's own, on the meta device too it is made without sympy."""
    return torch.empty(count, dim).uniform_(-spread, spread)


class Bag(Encoder):
    """The mean of the vectors of a text's ids (Joulin, Grave, Bojanowski, Mikolov: "Bag of tricks for efficient text
    classification", EACL 2017, arXiv 1607.01759); zeros for a text of padding only."""

    def __init__(self, count: int, dim: int, spread: float = 1.0) -> None:
        super().__init__()
        self.width = dim
        table = embedding(count, dim, spread)
        self.bag = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="mean", padding_idx=0)

    def forward(self, x: Tensor) -> Tensor:
        """From ids [n, L] to [n, dim]."""
        found: Tensor = self.bag(x)
        return found


class Tokens(nn.Module):
    """From ids [n, L] to their vectors [n, L, dim], zeros for padding."""

    def __init__(self, count: int, dim: int, spread: float = 0.05) -> None:
        super().__init__()
        table = embedding(count, dim, spread)
        self.table = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)
        with torch.no_grad():
            self.table.weight[0].zero_()

    def forward(self, x: Tensor) -> Tensor:
        """From ids [n, L] to [n, L, dim]."""
        found: Tensor = self.table(x)
        return found


def mean_of_real(steps: Tensor, real: Tensor | None) -> Tensor:
    """The mean over the steps [n, L, d] that are real [n, L], true or false; zeros where none is. Over all if `real` is None."""
    if real is None:
        return steps.mean(dim=1)
    weights = real.to(steps.dtype).unsqueeze(2)
    return (steps * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
