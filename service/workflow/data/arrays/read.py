"""Reads stored arrays into a table, whose tensors stay on the disk where they can."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from service.workflow.data.arrays.array_file import FEATURES, TARGET, open_arrays
from service.workflow.data.arrays.columns import (
    as_numbers,
    as_tensors,
    is_tensor,
    listed,
    names_of,
    row_blocks,
    tensor_dtype,
)
from service.workflow.data.formats import MOST_UNPACKED_BYTES
from service.workflow.data.schema import Schema
from service.workflow.data.table import Numbers, RequestedColumn, Table, Values
from service.workflow.data.types.number import Number
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.values import InvalidValue, column
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown


def read_arrays(
    path: Path, media_type: str, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path
) -> Table:
    """The wanted columns of surveyed arrays. Files below `scratch` belong to the table.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    arrays, _ = open_arrays(path, media_type, scratch, MOST_UNPACKED_BYTES)
    x, y = arrays[FEATURES], arrays.get(TARGET)
    if len(x) != schema.rows + len(schema.left_out):
        raise InvalidData(f"the file has other rows than the {schema.rows} that it had when it was uploaded")
    kept = np.delete(np.arange(len(x)), schema.left_out) if schema.left_out else None
    columns: dict[str, Values] = {}
    if is_tensor(x):
        if FEATURES in wanted:
            columns[FEATURES] = _tensors(x, kept, scratch)
    else:
        columns |= _numbers(x, {name: wanted[name] for name in names_of(x) if name in wanted})
    if TARGET in wanted and y is not None:
        columns[TARGET] = _converted(TARGET, y if kept is None else y[kept], wanted[TARGET])
    return Table({name: columns[name] for name in wanted})


def _tensors(x: Numbers, kept: Numbers | None, scratch: Path) -> Numbers:
    """The rows as tensors: those of the file itself if they need no change, else in another file."""
    dtype = tensor_dtype(x)
    if kept is None and x.dtype == dtype and x.dtype.isnative and x.flags.c_contiguous:
        return x
    rows = len(x) if kept is None else len(kept)
    made: Numbers = np.memmap(scratch / "tensors", dtype, "w+", shape=(rows, *x.shape[1:]))
    done = 0
    for before, block in row_blocks(x):
        within = slice(None) if kept is None else kept[(kept >= before) & (kept < before + len(block))] - before
        part = as_tensors(block[within], dtype)
        made[done : done + len(part)] = part
        done += len(part)
    return made


def _numbers(x: Numbers, wanted: Mapping[str, RequestedColumn]) -> dict[str, Values]:
    """The columns of the features, which are filled block by block."""
    positions = {name: int(name.removeprefix(FEATURES)) for name in wanted}
    plain = {name: each for name, each in wanted.items() if each.type == Number.name}
    made = {name: np.empty(len(x), COLUMN_TYPES[each.type].dtype(exact=each.exact)) for name, each in plain.items()}
    for before, block in row_blocks(x):
        for name, filled in made.items():
            filled[before : before + len(block)] = as_numbers(block[:, positions[name]], filled.dtype)
    others = {name: each for name, each in wanted.items() if name not in made}
    return {**made, **{name: _converted(name, x[:, positions[name]], each) for name, each in others.items()}}


def _converted(name: str, values: Numbers, wanted: RequestedColumn) -> Values:
    try:
        return column(listed(values), wanted)
    except InvalidValue as error:
        raise InvalidData(f"the column {shown(name)}, row {error.row + 1}: {error}") from None
