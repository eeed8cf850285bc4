"""Networks, from the input tensors that `config.json` names to outputs [n, outputs]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from modeling_encoders import MODULES as ENCODERS

Config = Mapping[str, Any]  # a part of config.json


def build(described: Config) -> nn.Module:
    """A module of this file, of `modeling_encoders.py` or of torch.nn: `{"name": class, argument: value, …}`, with `layers` for
    those that it holds, and other modules as arguments. Raises ValueError if there is no such class."""
    arguments = {key: tuple(each) if isinstance(each, list) else each for key, each in described.items()}
    arguments |= {key: build(each) for key, each in described.items() if isinstance(each, dict)}
    name, layers = str(arguments.pop("name")), map(build, arguments.pop("layers", ()))
    cls = MODULES[name] if name in MODULES else getattr(nn, name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ValueError(f"there is no module {name!r}")
    return cls(*layers, **arguments)


class LinearModel(nn.Module):
    """head(weight · x + bias). `weight` is [outputs, features], or [features] in a linear regression of one target."""

    def __init__(self, weight: Sequence[int], outputs: int, head: nn.Module) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(weight))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.head: Callable[[Tensor], Tensor] = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.linear(x, self.weight.view(len(self.bias), -1), self.bias))


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, super().forward(x))  # type: ignore[no-untyped-call]


class LSTM(nn.LSTM):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class GRU(nn.GRU):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class RNN(nn.RNN):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class MultiheadAttention(nn.MultiheadAttention):
    """torch's, of each step on all steps of its row, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]


class TabM(nn.Module):
    """An ensemble in one network: MLPs with shared weights and their own scalings, biases and heads (Gorishniy, Kotelnikov,
    Babenko: "TabM", ICLR 2025, arXiv 2410.24210). The outputs are [members · n, outputs], member after member."""

    def __init__(
        self,
        features: int,
        outputs: int,
        width: int,
        blocks: int,
        members: int,
        dropout: float,
        head: nn.Module,
        embedding: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        widths = [features, *[width] * blocks]
        self.blocks = nn.ModuleList(TabMBlock(*pair, members, dropout) for pair in pairwise(widths))
        self.weight = nn.Parameter(torch.empty(members, width, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))
        self.head: Callable[[Tensor], Tensor] = head

    def forward(self, x: Tensor) -> Tensor:
        if self.embedding is not None:
            x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.head(torch.baddbmm(self.bias, x, self.weight).flatten(0, 1))


class TabMBlock(nn.Module):
    """dropout(relu(((x · r) @ weight) · s + bias)). All members share `weight`; each has its own `r`, `s` and `bias`."""

    def __init__(self, features: int, width: int, members: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, width))
        self.r = nn.Parameter(torch.empty(members, 1, features))
        self.s = nn.Parameter(torch.empty(members, 1, width))
        self.bias = nn.Parameter(torch.empty(members, 1, width))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(torch.addcmul(self.bias, (x * self.r) @ self.weight, self.s))
        return nn.functional.dropout(x, self.dropout, self.training)


class BagOfNetworks(nn.Module):
    """Several networks that answer together: their outputs [members · n, outputs], network after network."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor | dict[str, Tensor]) -> Tensor:
        return torch.cat([network(x) for network in self.networks])


class NumberEmbedding(nn.Module):
    """Eight features for each of the first `numbers` columns, which are standardized numbers; the other columns stay behind them
    as they are (piecewise-linear embeddings of Gorishniy, Rubachev, Babenko, NeurIPS 2022, arXiv 2203.05556, after the smooth
    clip of Holzmüller, Grinsztajn, Steinwart, NeurIPS 2024, arXiv 2407.04491)."""

    low: Tensor
    scale: Tensor

    def __init__(self, numbers: int, bins: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.linear = nn.Parameter(torch.empty(numbers, 1, 8))
        self.bias = nn.Parameter(torch.empty(numbers, 1, 8))
        self.weight = nn.Parameter(torch.empty(numbers, bins, 8))
        self.register_buffer("low", torch.zeros(numbers, 1, bins))
        self.register_buffer("scale", torch.zeros(numbers, 1, bins))

    def forward(self, x: Tensor) -> Tensor:
        numbers = x[:, : self.numbers].clamp(-1e6, 1e6).t()[:, :, None]
        positions = ((numbers - self.low) * self.scale).clamp(0.0, 1.0)  # in the bins
        clipped = numbers * (1 + (numbers / 3).square()).rsqrt()
        embedded = torch.baddbmm(torch.addcmul(self.bias, clipped, self.linear), positions, self.weight)
        return torch.cat([embedded.transpose(0, 1).flatten(1), x[:, self.numbers :]], dim=1)


OWN = (LinearModel, Residual, TabM, NumberEmbedding, BagOfNetworks, LSTM, GRU, RNN, MultiheadAttention)
MODULES: dict[str, type[nn.Module]] = {each.__name__: each for each in OWN} | ENCODERS
