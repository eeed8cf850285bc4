"""JSON bodies that hold nothing but numbers, from bytes to tensor without a Python object for each number.

Only the plain case is read here. Whatever is unusual is left to the strict way, which decides and finds the words:
so nothing here may accept what that refuses, or read another number out of it.
"""

import re
from functools import lru_cache
from typing import Any

import numpy as np
import simdjson
import torch

from service.serving.instances import MOST_ROWS
from service.workflow.data.values import fit_float32
from service.workflow.signature import Signature

WORTH_IT = 1024  # bytes; below, orjson and one array for the whole micro-batch are as fast
_NUMBERS = b"0123456789+-.eE \t\r\n"  # and the space between them
_SPACE = rb"[ \t\r\n]*"
# No byte order mark, which simdjson would skip, and no name but this one before the values.
_INSTANCES = re.compile(_SPACE + rb"\{" + _SPACE + rb'"instances"' + _SPACE + b":" + _SPACE + rb"\[")
_INPUTS = re.compile(_SPACE + rb"\{" + _SPACE + rb'"inputs"' + _SPACE + b":" + _SPACE + rb"\{")

Array = np.ndarray[Any, Any]


def fast(body: bytes, signature: Signature) -> torch.Tensor | None:
    """Raw features [n, slots] of a body whose inputs are all numbers (0 and 1 for booleans), in lists or in columns;
    None where anything is unusual, so that the strict way must be asked."""
    if not signature.inputs or any(each.type not in ("number", "boolean") for each in signature.inputs):
        return None
    try:
        if (start := _INSTANCES.match(body)) is not None:
            found = _rows(body, start.group(), len(signature.inputs))
        elif _INPUTS.match(body) is not None:
            found = _columns(body, [each.name for each in signature.inputs])
        else:
            return None
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError):  # no JSON, or not of numbers only
        return None
    if found is None or not 0 < len(found) <= MOST_ROWS:
        return None
    return _tensor(found, [at for at, each in enumerate(signature.inputs) if each.type == "boolean"])


def _rows(body: bytes, opening: bytes, width: int) -> Array | None:
    """Rows in lists; bare numbers where there is one input."""
    document: Any = simdjson.Parser().parse(body)
    # It flattens lists in lists, and raises at anything but a number in them.
    values = np.frombuffer(document["instances"].as_buffer(of_type="d"))
    rows = len(values) // width
    # What is left of the text without its numbers says how long each list is, and that nothing comes after the last.
    listed = body.translate(None, _NUMBERS)
    if listed != _listed(opening, rows, width) and (width > 1 or listed != _listed(opening, rows, 0)):
        return None
    return values.reshape(rows, width)


@lru_cache(maxsize=16)  # of a few kilobytes each
def _listed(opening: bytes, rows: int, width: int) -> bytes:
    """What is left of the text of so many rows; with width 0 of as many bare numbers."""
    row = b"[" + b"," * (width - 1) + b"]," if width else b","
    return opening.translate(None, _NUMBERS) + (row * rows)[:-1] + b"]}"


def _columns(body: bytes, names: list[str]) -> Array | None:
    """Columns by name, each a list of numbers."""
    # As many brackets as columns: no list stands in another. One inside a name only makes for the strict way.
    if body.count(b"[") != len(names):
        return None
    document: Any = simdjson.Parser().parse(body)
    columns = document["inputs"]
    if len(document) != 1 or len(columns) != len(names) or set(columns.keys()) != set(names):
        return None
    buffers = [np.frombuffer(columns[name].as_buffer(of_type="d")) for name in names]
    if len({len(each) for each in buffers}) != 1:
        return None
    return np.stack(buffers, axis=1)


def _tensor(values: Array, booleans: list[int]) -> torch.Tensor | None:
    if booleans and not np.isin(values[:, booleans], (0, 1)).all():
        return None
    return torch.from_numpy(values.astype(np.float32)) if fit_float32(values) else None
