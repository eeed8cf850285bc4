"""A model's forward without the calls between its modules: the same functions of torch on the same tensors, to the same bits.

Each call of an `nn.Module` looks for hooks and looks its tensors up by name, which takes several times as long as a small
layer computes. What is known here is called straight; whatever is not is called as the module that it is.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn

from service.workflow.losses import Output
from service.workflow.model import Model
from service.workflow.preprocessing import Preprocessing, encode

Step = Callable[[torch.Tensor], torch.Tensor]
AS_THEY_STAND = (Output.VALUE, Output.RATE)  # outputs that are the answers, but for the target's scale
NOTHING = (nn.Identity, nn.Dropout, nn.AlphaDropout)  # in a model that predicts


def functional(model: Model, *, missing: bool = True) -> Step:
    """From raw features [n, slots] to answers, as `model.forward`; to be called under `torch.inference_mode`.

    Args:
        model: ready to predict, and from now on as it is: its tensors are looked up once.
        missing: whether a value may be NaN.
    """
    if any(each._forward_hooks or each._forward_pre_hooks for each in model.modules()):
        return model  # somebody wants to see every call
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
        yield partial(encode, of=by.layout, fill=by.fill, indicated=by.indicated, mean=by.mean, std=by.std)
    elif by.mean is not None and by.std is not None:
        mean, std = by.mean, by.std
        yield lambda raw: (raw - mean).div_(std)


def _network(network: nn.Module) -> Iterator[Step]:
    """The steps of a module; of a stack, those of its layers."""
    flat = True  # whether the values are still [n, …] and no more
    own = False  # whether they are this forward's own, and may be written over
    for layer in _layers(network):
        if type(layer) is nn.Linear:
            yield _linear(layer, flat)
        elif type(layer) is nn.ReLU:
            yield torch.relu_ if own else torch.relu
        elif type(layer) not in NOTHING:
            yield layer
            flat = False
        own = type(layer) is nn.Linear


def _linear(layer: nn.Linear, flat: bool) -> Step:
    weight, bias = layer.weight, layer.bias
    if not flat or bias is None:
        return lambda values: nn.functional.linear(values, weight, bias)
    turned, addmm = weight.t(), torch.addmm  # what `linear` itself comes to for such values, after some looking
    return lambda values: addmm(bias, values, turned)


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    if type(network) is nn.Sequential:
        for layer in network:
            yield from _layers(layer)
    else:
        yield network


def _answering(model: Model) -> Iterator[Step]:
    if model.members > 1 or model.output not in AS_THEY_STAND:
        yield model.answer
    elif model.target is not None:
        mean, std = model.target.mean, model.target.std
        yield lambda values: (values * std).add_(mean)
