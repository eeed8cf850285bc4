"""The memory and work of a forward pass for each row: measured, because a layer with few parameters may compute much.

Where possible it is measured on the meta device, whose tensors have shapes and no memory.
"""

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from service.workflow.input_tensors import Tensors
from service.workflow.models.input_shapes import InputShapes

ROWS = 2  # that are measured: some layers do not accept one
aten = torch.ops.aten
# The results of products and pointwise operations on the meta device are computed here: torch's own implementation imports
# sympy, which would add a second to the first prediction after a start. The last two tensors of a product are multiplied.
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}
BOOLEAN_RESULTS = {"eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "logical_and", "logical_or", "logical_not"}


@dataclass(frozen=True)
class ForwardCost:
    """The cost of one row: `bytes` is the peak memory of intermediate results, without inputs and parameters; `work` the number
    of multiply-adds and of computed values. For a chain of `Linear`, `work` is about its number of parameters."""

    bytes: int
    work: int


def measure(network: nn.Module, inputs: InputShapes) -> ForwardCost:
    """The cost of a row of these inputs. The network must be in evaluation mode; it is not changed.

    A network that cannot run on the meta device, such as a plug-in's, is measured on rows of zeros. If that fails too, its
    parameters are counted.
    """
    tensors = {name: each for named in (network.named_parameters(), network.named_buffers()) for name, each in named}
    on_meta = {name: each.to("meta") for name, each in tensors.items()}
    try:
        return _measured(lambda rows: torch.func.functional_call(network, on_meta, (rows,)), inputs, "meta", on_meta)
    except Exception:
        try:
            return _measured(network, inputs, "cpu", tensors)
        except Exception:
            numbers = sum(each.numel() for each in tensors.values())
            return ForwardCost(4 * numbers, numbers)


def _measured(
    forward: Callable[[Tensors], object], inputs: InputShapes, device: str, own: dict[str, torch.Tensor]
) -> ForwardCost:
    rows = inputs.zeros(ROWS, device)
    # In inference mode some layers run as one operation, which cannot be counted.
    with torch.no_grad(), _Counted([*tree_leaves(rows), *own.values()]) as counted:
        forward(rows)
    return ForwardCost(-(-counted.most // ROWS), -(-counted.work // ROWS))


class _Counted(TorchDispatchMode):
    """Counts the results of operations, and the memory of those that are still referenced."""

    def __init__(self, given: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = {_storage(each) for each in given}
        self._holders: dict[int, int] = {}
        self._now = 0
        self.most = 0  # bytes at once
        self.work = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True would import torch._dynamo

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation and counts its results."""
        made = _without_symbols(func, args, kwargs or {})
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.work += count(*args, **(kwargs or {}), out_val=made) // 2
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor) and (storage := _storage(each)) not in self._given:
                self._hold(each, storage)
        return made

    def _hold(self, tensor: torch.Tensor, storage: int) -> None:
        size = tensor.untyped_storage().nbytes()
        if storage not in self._holders:
            self._holders[storage] = 0
            self._now += size
            self.most = max(self.most, self._now)
            self.work += size // max(1, tensor.element_size())
        self._holders[storage] += 1
        weakref.finalize(tensor, self._let_go, storage, size)

    def _let_go(self, storage: int, size: int) -> None:
        self._holders[storage] -= 1
        if not self._holders[storage]:
            del self._holders[storage]
            self._now -= size


def _without_symbols(func: Any, args: Any, kwargs: Any) -> Any:
    """The result of an operation, computed without sympy where possible."""
    given = [each for each in args if isinstance(each, torch.Tensor)]
    if not given or not all(each.is_meta for each in given):
        return func(*args, **kwargs)
    if func in PRODUCTS:
        return given[0].new_empty((*given[-2].shape[:-1], given[-1].shape[-1]))
    if torch.Tag.pointwise not in func.tags or isinstance(args[0], list):
        return func(*args, **kwargs)
    name = func._schema.name.removeprefix("aten::")
    if name.endswith("_"):
        return given[0]
    promoted = functools.reduce(torch.promote_types, [each.dtype for each in given])
    dtype = torch.bool if name in BOOLEAN_RESULTS else promoted
    return given[0].new_empty(np.broadcast_shapes(*[each.shape for each in given]), dtype=dtype)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
