"""A training's state as a tree, and the tree as JSON and tensors, without pickle.

A tree consists of dicts with keys of str or int, lists, tuples, Counters, None, bool, int, float, str and tensors. All are
restored exactly, including NaN, infinities, the order of dicts and the strides of tensors.
"""

import json
from collections import Counter, OrderedDict
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = dict[str, Any]  # a tree whose root is a dict with str keys

# fmt: off
DTYPES = {
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
}
# fmt: on


def flatten(tree: object) -> tuple[str, dict[str, Tensor]]:
    """The tree as JSON, and its tensors by the names in it: contiguous, sharing no memory. Contiguous ones on the CPU are not
    copied.

    Raises:
        TypeError: the tree holds a value of another type.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_packed(tree, tensors, set()), separators=(",", ":"))  # unlike orjson it writes NaN and Infinity
    return text, tensors


def unflatten(text: str, tensors: dict[str, Tensor]) -> Any:
    """The tree from the result of `flatten`. Its tensors are allocated by torch rather than views of a file, because results
    may depend on the alignment of memory in the last bit.

    Raises:
        ValueError, KeyError, TypeError, IndexError, RuntimeError: it is no result of `flatten`.
    """
    return _unpacked(json.loads(text), tensors)


def _packed(value: Any, tensors: dict[str, Tensor], storages: set[int]) -> Any:
    """The value as JSON. A type that JSON lacks is an object whose first key names the type."""
    kind = type(value)  # not isinstance: a subclass would be restored as another type
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
    packed = {"tensor": name, "strides": list(dense.stride())}
    dense = dense.contiguous()
    if dense.untyped_storage().data_ptr() in storages:
        dense = dense.clone()
    storages.add(dense.untyped_storage().data_ptr())
    tensors[name] = dense
    return packed


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
