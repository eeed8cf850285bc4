"""What a forward costs for each of its rows, in memory and in work: measured, not told by the parameters, for a layer may make
much of little.

Where possible on the meta device: its tensors have shapes and no memory, so nothing is as large as it would be.
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

from service.workflow.models.input_shapes import InputShapes

ROWS = 2  # that are measured: some layers do not take one
aten = torch.ops.aten
# What products and pointwise operations make on the meta device is said here: torch's own way there imports a library for
# symbols, which takes a second that the first prediction after a start would wait for. The tensors that are multiplied are the
# last two.
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}
TRUTHS = {"eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "logical_and", "logical_or", "logical_not"}


@dataclass(frozen=True)
class ForwardCost:
    """Of one row: the most bytes that what is computed takes at once, without what is given and the parameters; and the
    multiplications with an addition, and the numbers that are made. Of a chain of `Linear` that is about as many as it has
    parameters."""

    bytes: int
    work: int


def measure(network: nn.Module, inputs: InputShapes) -> ForwardCost:
    """The cost of a row of these inputs. The network must be ready to predict, and is as it was afterwards.

    What cannot run on the meta device, as a plug-in's own code may not, is measured on rows of zeros; where that fails, too,
    the parameters are counted.
    """
    tensors = {name: each for named in (network.named_parameters(), network.named_buffers()) for name, each in named}
    on_meta = {name: each.to("meta") for name, each in tensors.items()}
    try:
        return _measured(lambda rows: torch.func.functional_call(network, on_meta, (rows,)), inputs, "meta", on_meta)
    except Exception:  # whatever it may meet in there
        try:
            return _measured(network, inputs, "cpu", tensors)
        except Exception:
            numbers = sum(each.numel() for each in tensors.values())
            return ForwardCost(4 * numbers, numbers)


def _measured(
    forward: Callable[[torch.Tensor], object], inputs: InputShapes, device: str, own: dict[str, torch.Tensor]
) -> ForwardCost:
    rows = torch.zeros(ROWS, *inputs.shape, device=device)
    # In inference mode some layers would come whole, and not as the steps that can be counted.
    with torch.no_grad(), _Counted([rows, *own.values()]) as counted:
        forward(rows)
    return ForwardCost(-(-counted.most // ROWS), -(-counted.work // ROWS))


class _Counted(TorchDispatchMode):
    """Counts what each operation makes, for as long as anybody holds it."""

    def __init__(self, given: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = {_storage(each) for each in given}
        self._holders: dict[int, int] = {}
        self._now = 0
        self.most = 0  # bytes at once
        self.work = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip what is never there would import it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation, and looks at what it makes."""
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
    """What the operation makes."""
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
    dtype = torch.bool if name in TRUTHS else functools.reduce(torch.promote_types, [each.dtype for each in given])
    return given[0].new_empty(np.broadcast_shapes(*[each.shape for each in given]), dtype=dtype)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
