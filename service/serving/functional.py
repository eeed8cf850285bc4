"""A model's forward as a sequence of torch functions, with bit-identical results.

Each call of an `nn.Module` checks for hooks and gets its tensors by name, which takes several times as long as the
computation of a small layer. Known layers become calls of their functions; others are called as modules.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.models.encoders import ConvNet
from service.workflow.models.number_embedding import LARGEST, LIMIT, NumberEmbedding
from service.workflow.models.tabm import Block, TabM
from service.workflow.preprocessing import Preprocessing
from service.workflow.tasks import Task

Step = Callable[[Any], torch.Tensor]  # of raw features, or of the tensor that the step before has made
PLAIN_OUTPUTS = (OutputKind.VALUE, OutputKind.RATE)  # outputs that are the answers, apart from the target's scale
# Of the outputs of ensembles, to what is averaged.
CONVERSIONS: dict[OutputKind, Step] = {
    OutputKind.VALUE: lambda values: values,
    OutputKind.LOGIT: torch.sigmoid,
    OutputKind.SCORES: lambda values: torch.softmax(values, 1),
}
NO_OPERATION = (nn.Identity, nn.Dropout, nn.AlphaDropout)  # in evaluation mode


def functional(model: Model, *, missing: bool = True) -> Step:
    """A function from raw features [n, w] to answers [n, outputs], as `model.forward`.

    It must be called under `torch.inference_mode`.

    Args:
        model: in evaluation mode; its tensors are looked up once, so that it must not change afterwards. Those of convolutions
            get another layout in memory.
        missing: whether a value may be NaN.
    """
    if any(each._forward_hooks or each._forward_pre_hooks for each in model.modules()):
        return model  # hooks need the calls of the modules
    if model.shaped:
        for module in model.modules():
            if isinstance(module, ConvNet):
                # As its pixels are: a seventh faster, to the same bits. Parameters that are made in inference mode have no
                # gradients, which explanations need.
                with torch.inference_mode(False):
                    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # which the stub lacks
        return model  # beside a convolution, the calls of modules cost nothing
    steps = [*_encoding(model.preprocessing, missing), *_network(model.network), *_answering(model)]

    def forward(values: torch.Tensor) -> torch.Tensor:
        for step in steps:
            values = step(values)
        return values

    return forward


def _encoding(by: Preprocessing | None, missing: bool) -> Iterator[Step]:
    if by is None:
        return
    if missing or len(by.indicated) or not by.layout.plain or by.fill.dtype is not torch.float32:
        yield _encode(by)
    elif by.mean is not None and by.std is not None:
        mean, std = by.mean, by.std
        yield lambda raw: (raw - mean).div_(std)


def _encode(by: Preprocessing) -> Step:
    """`Preprocessing.forward` with its look-ups done in advance. A category is one-hot encoded by comparing its position with
    all positions, which takes no table per category."""
    of, fill, mean, std = by.layout, by.fill, by.mean, by.std
    numbers = None if of.plain else torch.tensor(of.numbers, dtype=torch.int64)
    indicated = by.indicated if len(by.indicated) else None
    slots = torch.tensor([slot for slot, size in of.categories for _ in range(size)], dtype=torch.int64)
    positions = torch.tensor([at + 1 for _, size in of.categories for at in range(size)], dtype=fill.dtype)
    only = of.categories[0][0] if len(of.categories) == 1 else None
    # A missing number that is imputed by the mean is standardized to 0, and no other number becomes NaN.
    to_zero = mean is not None and std is not None and torch.equal(fill, mean) and bool((std > 0).all())

    def encode(raw: torch.Tensor) -> torch.Tensor:
        given = raw if numbers is None else raw.index_select(1, numbers)
        if mean is None or std is None:
            encoded = torch.where(given.isnan(), fill, given)
        elif to_zero:
            encoded = (given - mean).div_(std).nan_to_num_(0.0, math.inf, -math.inf)
        else:
            encoded = torch.where(given.isnan(), fill, given).sub_(mean).div_(std)
        if numbers is None and indicated is None:
            return encoded.to(torch.float32)
        parts = [encoded]
        if indicated is not None:
            parts.append(raw.index_select(1, indicated).isnan())
        if numbers is not None:
            taken = raw.index_select(1, slots) if only is None else raw[:, only : only + 1]
            parts.append(taken == positions)
        return torch.cat([each.to(torch.float32) for each in parts], dim=1)

    return encode


def _network(network: nn.Module) -> Iterator[Step]:
    """The steps of a network, layer by layer."""
    flat = True  # whether the values are known to be two-dimensional
    own = False  # whether this forward has made them, so that they may be changed in place
    for layer in _layers(network):
        if type(layer) is nn.Linear:
            yield _linear(layer, flat)
        elif type(layer) is nn.ReLU:
            yield torch.relu_ if own else torch.relu
        elif type(layer) is TabM:
            yield from _tabm(layer)
        elif type(layer) not in NO_OPERATION:
            yield layer
            flat = False
        own = type(layer) is nn.Linear


def _linear(layer: nn.Linear, flat: bool) -> Step:
    weight, bias = layer.weight, layer.bias
    if not flat or bias is None:
        return lambda values: nn.functional.linear(values, weight, bias)
    transposed, addmm = weight.t(), torch.addmm  # what `linear` calls for two-dimensional values
    return lambda values: addmm(bias, values, transposed)


def _tabm(network: TabM) -> Iterator[Step]:
    if network.embedding is not None:
        yield _embedding(network.embedding)
    for block in network.blocks:
        assert isinstance(block, Block)  # noqa: S101 - a ModuleList has no type for what it holds
        yield _block(block)
    weight, bias = network.weight, network.bias
    yield lambda values: torch.baddbmm(bias, values, weight).flatten(0, 1)
    if network.head is not None:
        yield network.head


def _embedding(by: NumberEmbedding) -> Step:
    count, low, scale, weight, bias, linear = by.numbers, by.low, by.scale, by.weight, by.bias, by.linear
    one = torch.ones(())

    def embed(values: torch.Tensor) -> torch.Tensor:
        alone = values.shape[1] == count
        numbers = (values if alone else values[:, :count]).clamp(-LARGEST, LARGEST).t().unsqueeze(2)
        positions = (numbers - low).mul_(scale).clamp_(0.0, 1.0)
        clipped = torch.addcmul(one, numbers, numbers, value=LIMIT**-2).rsqrt_().mul_(numbers)
        embedded = torch.baddbmm(torch.addcmul(bias, clipped, linear), positions, weight).transpose(0, 1).flatten(1)
        return embedded if alone else torch.cat([embedded, values[:, count:]], dim=1)

    return embed


def _block(by: Block) -> Step:
    weight, r, s, bias = by.weight, by.r, by.s, by.bias
    return lambda values: torch.addcmul(bias, (values * r) @ weight, s).relu_()


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    if type(network) is nn.Sequential:
        for layer in network:
            yield from _layers(layer)
    else:
        yield network


def _answering(model: Model) -> Iterator[Step]:
    if model.members > 1 and model.calibration is None and model.output in CONVERSIONS:
        yield _mean_answer(model)
    elif model.members > 1 or model.output not in PLAIN_OUTPUTS:
        yield model.answer
    elif model.target is not None:
        mean, std = model.target.mean, model.target.std
        yield lambda values: (values * std).add_(mean)


def _mean_answer(model: Model) -> Step:
    """`Model.answer` of an ensemble."""
    members, convert, target = model.members, CONVERSIONS[model.output], model.target
    mean, std = (None, None) if target is None else (target.mean, target.std)
    both = model.task is Task.BINARY

    def answer(values: torch.Tensor) -> torch.Tensor:
        width = values.shape[1]
        values = convert(values).view(members, -1, width).mean(dim=0)
        if mean is not None and std is not None:
            values = values * std + mean
        return torch.cat([1 - values, values], dim=1) if both and width == 1 else values

    return answer
