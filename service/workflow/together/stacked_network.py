"""Multi-layer perceptrons of one shape as one function of a matrix with a row of parameters for each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn

from service.workflow.models.mlp import Residual

ALIGNED = 16  # numbers: each parameter begins at 64 bytes, where torch's kernels are fastest


@dataclass
class Draws:
    """What dropout draws from: for each trial its rate, and its generator of random numbers."""

    rates: Sequence[float]
    generators: Sequence[Generator]


# Takes the numbers [c, n, width], the parameters in order, and what dropout draws from; None if nothing is dropped.
Stage = Callable[[Tensor, list[Tensor], Draws | None], Tensor]


class StackedNetwork:
    """What a network computes, for c rows of parameters at once.

    Args:
        network: one of the networks, whose layers all of them have. Of one that is an `MLPSpec`'s, without BatchNorm1d.

    Raises:
        TypeError: it has a layer that cannot be computed for several networks at once.
    """

    def __init__(self, network: nn.Module) -> None:
        self.shapes = [each.shape for each in network.parameters()]
        self._sizes: list[int] = []
        for shape in self.shapes:
            self._sizes += [shape.numel(), -shape.numel() % ALIGNED]
        self.width = sum(self._sizes)  # of a row
        self._stages = _stages(network, iter(range(len(self.shapes))))

    def row(self, network: nn.Module) -> Tensor:
        """The parameters of a network as a row [width]."""
        row, start = torch.zeros(self.width), 0
        for each, size, padding in zip(network.parameters(), self._sizes[::2], self._sizes[1::2], strict=True):
            row[start : start + size] = each.detach().flatten()
            start += size + padding
        return row

    @torch.no_grad()
    def fill(self, network: nn.Module, row: Tensor) -> None:
        """Sets the parameters of a network to those of a row."""
        parts = row.split(self._sizes)[::2]
        for each, part in zip(network.parameters(), parts, strict=True):
            each.copy_(part.view(each.shape))

    def __call__(self, rows: Tensor, features: Tensor, draws: Draws | None = None) -> Tensor:
        """The outputs [c, n, k] of the networks with these parameters [c, width] for features [c, n, d]."""
        parts = rows.split(self._sizes, dim=1)[::2]
        parameters = [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return _through(self._stages, features, parameters, draws)


def _through(stages: Sequence[Stage], values: Tensor, parameters: list[Tensor], draws: Draws | None) -> Tensor:
    for stage in stages:
        values = stage(values, parameters, draws)
    return values


def _stages(network: nn.Module, at: Iterator[int]) -> list[Stage]:
    """One for each layer. `at` gives the position of the next parameter."""
    layers = network if isinstance(network, nn.Sequential) else [network]
    return [_stage(layer, at) for layer in layers]


def _stage(layer: nn.Module, at: Iterator[int]) -> Stage:
    match layer:
        case Residual():
            inner = _stages(nn.Sequential(*layer), at)
            return lambda values, parameters, draws: values + _through(inner, values, parameters, draws)
        case nn.Linear():
            return partial(_linear, next(at), next(at))
        case nn.LayerNorm():
            return partial(_layer_norm, next(at), next(at), layer.eps)
        case nn.Dropout():
            return _dropout
        case nn.ReLU():  # in place: its backward pass needs only its result
            return lambda values, parameters, draws: values.relu_()
        case _ if not list(layer.parameters()) and not list(layer.buffers()):
            return lambda values, parameters, draws: layer(values)  # changes each number by itself
        case _:
            raise TypeError(f"{type(layer).__name__} cannot be computed for several networks at once")


def _linear(weight: int, bias: int, values: Tensor, parameters: list[Tensor], draws: Draws | None) -> Tensor:
    weights, biases = parameters[weight], parameters[bias].unsqueeze(1)
    if weights.shape[1] == 1:  # a product of many small matrices with one column each takes ten times as long
        return (values * weights).sum(dim=-1, keepdim=True) + biases
    return torch.baddbmm(biases, values, weights.mT)


def _layer_norm(
    weight: int, bias: int, eps: float, values: Tensor, parameters: list[Tensor], draws: Draws | None
) -> Tensor:
    normed = nn.functional.layer_norm(values, values.shape[-1:], eps=eps)
    return torch.addcmul(parameters[bias].unsqueeze(1), normed, parameters[weight].unsqueeze(1))


def _dropout(values: Tensor, parameters: list[Tensor], draws: Draws | None) -> Tensor:
    """Draws for each trial from its own generator, and as torch's Dropout does: so a trial gets the numbers that it would get
    alone."""
    if draws is None:
        return values
    kept = torch.ones(values.shape)
    for of, rate, generator in zip(kept, draws.rates, draws.generators, strict=True):
        if rate:
            of.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    return values * kept
