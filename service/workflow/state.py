"""A training's state as a tree, and the tree as JSON and tensors: nothing is ever unpickled.

A tree is made of dicts with keys of str or int, lists, tuples, Counters, None, bool, int, float, str and tensors. Each
comes back as what it was, NaN and infinities, the order of a dict and a tensor's strides included.
"""

import json
from collections import Counter, OrderedDict
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = dict[str, Any]  # a tree whose root has names

# fmt: off
DTYPES = {
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
}
# fmt: on


def flatten(tree: object) -> tuple[str, dict[str, Tensor]]:
    """The tree as JSON text and the tensors that it names, dense and none sharing memory with another. Those that are on
    the CPU and contiguous are not copied.

    Raises:
        TypeError: something in it is none of what a tree is made of.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_packed(tree, tensors, set()), separators=(",", ":"))  # unlike orjson it writes NaN and Infinity
    return text, tensors


def unflatten(text: str, tensors: dict[str, Tensor]) -> Any:
    """The tree again. Its tensors are torch's own allocations, not views of a file: to the last bit a result may depend
    on how its operands are aligned.

    Raises:
        ValueError, KeyError, TypeError, IndexError, RuntimeError: it is not what `flatten` has made.
    """
    return _unpacked(json.loads(text), tensors)


def _packed(value: Any, tensors: dict[str, Tensor], storages: set[int]) -> Any:
    """JSON of `value`. Whatever JSON has no sign of its own for is an object with one key that tells what it is."""
    kind = type(value)  # not isinstance: a subclass would come back as something else
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_packed(each, tensors, storages) for each in value]
    if kind is tuple:
        return {"tuple": [_packed(each, tensors, storages) for each in value]}
    if kind in (dict, OrderedDict, Counter):
        if not all(type(key) in (str, int) for key in value):
            raise TypeError("a key in a training's state is neither str nor int")
        items = [[key, _packed(each, tensors, storages)] for key, each in value.items()]
        return {"counter" if kind is Counter else "dict": items}
    if isinstance(value, Tensor):
        return _named(value, tensors, storages)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} cannot be part of a training's state")


def _named(tensor: Tensor, tensors: dict[str, Tensor], storages: set[int]) -> dict[str, Any]:
    if tensor.layout is not torch.strided or tensor.dtype not in DTYPES:
        raise TypeError(f"a tensor of {tensor.layout}, {tensor.dtype} cannot be part of a training's state")
    name, dense = str(len(tensors)), tensor.detach().cpu()
    if not dense.is_contiguous():
        dense = dense.clone(memory_format=torch.preserve_format)
    told = {"tensor": name, "strides": list(dense.stride())}
    dense = dense.contiguous()
    if dense.untyped_storage().data_ptr() in storages:
        dense = dense.clone()
    storages.add(dense.untyped_storage().data_ptr())
    tensors[name] = dense
    return told


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"tuple": items}:
            return tuple(_unpacked(each, tensors) for each in items)
        case {"dict": items}:
            return {key: _unpacked(each, tensors) for key, each in items}
        case {"counter": items}:
            return Counter({key: _unpacked(each, tensors) for key, each in items})
        case {"tensor": name, "strides": strides}:
            return torch.empty_strided(tensors[name].shape, strides, dtype=tensors[name].dtype).copy_(tensors[name])
        case _:
            raise ValueError("a training's state holds what no state is made of")
