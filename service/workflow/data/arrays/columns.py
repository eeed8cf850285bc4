"""How arrays become columns of a table, as their upload and each training see them."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from service.workflow.data.arrays.array_file import FEATURES, TARGET
from service.workflow.data.table import Numbers
from service.workflow.errors import InvalidData

BLOCK_BYTES = 16 * 2**20  # of rows in memory at a time


def is_tensor(x: Numbers) -> bool:
    """Whether a row of the features is a tensor; else each of its numbers is a column."""
    return x.ndim > 2


def names_of(x: Numbers) -> list[str]:
    """The names of the columns of the features."""
    return [FEATURES] if is_tensor(x) else [f"{FEATURES}{at}" for at in range(x.shape[1])]


def tensor_dtype(x: Numbers) -> "np.dtype[Any]":
    """The type of the tensors' numbers: bytes are kept, all others become float32."""
    return np.dtype(np.uint8 if x.dtype == np.uint8 else np.float32)


def row_blocks(x: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Rows that are in memory together, each block after this number of rows."""
    rows = max(1, BLOCK_BYTES // (math.prod(x.shape[1:]) * x.itemsize))
    for start in range(0, len(x), rows):
        yield start, np.asarray(x[start : start + rows])


def as_tensors(block: Numbers, dtype: "np.dtype[Any]") -> Numbers:
    """Rows as tensors. A number beyond float32 becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(block, dtype)


def as_numbers(values: Numbers, dtype: "np.dtype[Any]") -> Numbers:
    """Numbers of a column, NaN for one that is infinite."""
    with np.errstate(over="ignore"):
        made = values.astype(dtype)
    if values.dtype.kind == "f":
        made[~np.isfinite(made)] = np.nan
    return made


def listed(y: Numbers) -> list[Any]:
    """The values of the target as those of JSON, None for a missing one.

    Raises:
        InvalidData: a text is not UTF-8.
    """
    if y.dtype.kind == "S":
        try:
            return [each.decode() or None for each in y.tolist()]
        except UnicodeDecodeError:
            raise InvalidData(f"the array {TARGET!r} has bytes that are no texts in UTF-8") from None
    if y.dtype.kind == "f":
        return [each if math.isfinite(each) else None for each in y.tolist()]
    return [None if each == "" else each for each in y.tolist()]
