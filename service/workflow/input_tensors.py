"""Features as tensors: one tensor [n, w] for the columns of a table, or a dict of tensors with equal numbers of rows by name
when a column's values have a shape. In the dict the columns of a table, if any, are named `FEATURES`."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

Tensors = Tensor | dict[str, Tensor]


def rows_in(rows: Tensors | Sequence[object]) -> int:
    """The number of rows n, also of a list of rows."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def take(tensors: Tensors, rows: Tensor | slice) -> Tensors:
    """The rows at these positions, int64 [m], or of a slice."""
    return tensors[rows] if isinstance(tensors, Tensor) else {name: each[rows] for name, each in tensors.items()}


def cat(parts: Sequence[Tensors]) -> Tensors:
    """The rows of several, one after another."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat([each for each in parts if isinstance(each, Tensor)])
    return {name: torch.cat([each[name] for each in parts if isinstance(each, Mapping)]) for name in first}


def pieces(tensors: Tensors, rows: int) -> Iterator[Tensors]:
    """Pieces of at most `rows` rows, one after another; one without rows if there are none."""
    for start in range(0, max(1, rows_in(tensors)), rows):
        yield take(tensors, slice(start, start + rows))


def to(tensors: Tensors, device: torch.device) -> Tensors:
    """The same on a device."""
    if isinstance(tensors, Tensor):
        return tensors.to(device)
    return {name: each.to(device) for name, each in tensors.items()}
