"""The encoders of our kinds of models, described by the modules of torch.nn and of `modeling_encoders.py`."""

import inspect
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from service.workflow.models.encoder_kind import Headed
from service.workflow.models.encoders import (
    Bag,
    Columns,
    ConvNet,
    ImageLayout,
    Patches,
    Recurrent,
    Steps,
    Tokens,
    Transformer,
)
from service.workflow.models.encoders.image import Block
from service.workflow.models.fusion import EachHeaded, Joined
from service.workflow.models.mlp import Residual

Description = dict[str, Any]  # of a module: `{"name": class, argument: value, …}`
RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")


def describe_module(module: nn.Module) -> Description:
    """A module of an encoder, with those that it holds.

    Raises:
        LookupError: it holds a module that is neither ours nor torch's.
    """
    name = type(module).__name__
    match module:
        case EachHeaded():
            joined, output, heads = describe_module(module.encoder), describe_module(module.output), _all(module.heads)
            return {"name": name, "encoder": joined, "output": output, "layers": heads}
        case Headed():
            return {"name": name, "encoder": describe_module(module.encoder), "output": describe_module(module.output)}
        case Joined():
            widths = [each.normalized_shape[0] for each in module.norms if isinstance(each, nn.LayerNorm)]
            return {"name": name, "names": module.names, "widths": widths, "layers": _all(module.encoders)}
        case Columns():
            return {"name": name, "layers": _all(module.layers)}
        case ConvNet():
            return {"name": name, "layout": _layout(module.layout), "pooling": "max" if module.largest else "mean"} | {
                part: describe_module(getattr(module, part)) for part in ("stem", "stages")
            }
        case Block():
            shortcut = None if module.shortcut is None else describe_module(module.shortcut)
            return {"name": name, "inner": describe_module(module.inner), "shortcut": shortcut}
        case Bag():
            return {"name": name, "count": module.bag.num_embeddings, "dim": module.bag.embedding_dim}
        case Tokens():
            return {"name": name, "count": module.table.num_embeddings, "dim": module.table.embedding_dim}
        case Steps():
            return {"name": name, "encoder": describe_module(module.encoder)}
        case Patches():
            project = describe_module(module.project)
            return {"name": name, "layout": _layout(module.layout), "project": project, "filled": module.filled}
        case Recurrent():
            steps = None if module.steps is None else describe_module(module.steps)
            return {"name": name, "steps": steps, "cells": describe_module(module.cells), "ids": module.ids}
        case Transformer():
            length, dim = module.positions.shape
            sizes = {"length": length, "dim": dim, "depth": len(module.layers), "heads": module.layers[0].heads}
            return {"name": name, "steps": describe_module(module.steps), **sizes, "ids": module.ids}
        case nn.Sequential() if type(module) in (nn.Sequential, Residual):
            return {"name": name, "layers": _all(module)}
    return _of_torch(module)


def _all(modules: Iterable[nn.Module]) -> list[Description]:
    return [describe_module(each) for each in modules]


def _of_torch(module: nn.Module) -> Description:
    """A layer of torch with the arguments of its constructor, which it keeps as attributes."""
    cls = type(module)
    if getattr(nn, cls.__name__, None) is not cls:
        raise LookupError(cls.__name__)
    names = RECURRENT if isinstance(module, nn.RNNBase) else inspect.signature(cls).parameters
    given = {name: getattr(module, name) for name in names if name != "inplace" and hasattr(module, name)}
    if "bias" in given and not isinstance(given["bias"], bool):
        given["bias"] = given["bias"] is not None
    return {"name": cls.__name__} | {name: each for name, each in given.items() if not isinstance(each, Tensor)}


def _layout(layout: ImageLayout) -> Description:
    """What brings the channels of a tensor to the front."""
    if layout.added or layout.last:
        return {"name": "ChannelsFirst", "last": layout.last}
    return {"name": "Identity"}
