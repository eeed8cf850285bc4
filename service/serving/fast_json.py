"""JSON bodies that hold nothing but numbers, from bytes to tensor without a Python object for each number.

Only the plain case is read here. Whatever is unusual is left to the strict way, which decides and finds the words:
so nothing here may accept what that refuses, or read another number out of it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import simdjson
import torch

from service.serving.input_values import greatest
from service.serving.instances import MOST_ROWS
from service.workflow.encode import raw_dtype
from service.workflow.signature import Signature

WORTH_IT = 1024  # bytes; below, orjson and one array for the whole micro-batch are as fast
PLACE, PLACE_IN_JSON = "a list of numbers", b'"a list of numbers"'
_NUMBERS = b"0123456789+-.eE \t\r\n"  # and the space between them
NEWLINE, COMMA, SPACE = b"\n, "
_SPACE = rb"[ \t\r\n]*"
# No byte order mark, which simdjson would skip, no name but this one before the values, and no objects or texts.
_INSTANCES = re.compile(
    _SPACE + rb"\{" + _SPACE + rb'"instances"' + _SPACE + b":" + _SPACE + rb"\[" + _SPACE + rb"(?=[\[0-9-])"
)
_LIST = re.compile(_SPACE + b":" + _SPACE + rb"\[")
INPUTS = re.compile(_SPACE + rb"\{" + _SPACE + rb'"inputs"' + _SPACE + b":" + _SPACE + rb"\{")

Array = np.ndarray[Any, Any]


def fast(body: bytes, signature: Signature) -> torch.Tensor | None:
    """Raw features [n, slots] of a body whose inputs are all numbers (0 and 1 for booleans), in lists or in columns;
    None where anything is unusual, so that the strict way must be asked."""
    if not signature.inputs or any(each.type not in ("number", "boolean") for each in signature.inputs):
        return None
    if signature.has_missing_numbers:
        return None
    try:
        if (start := _INSTANCES.match(body)) is not None:
            found = _rows(body, start.group(), len(signature.inputs))
        elif INPUTS.match(body) is not None:
            found = _columns(body, [each.name for each in signature.inputs])
        else:
            return None
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError):  # no JSON, or not of numbers only
        return None
    if found is None or not 0 < len(found) <= MOST_ROWS:
        return None
    return _tensor(found, signature)


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
    return opening.translate(None, _NUMBERS) + _list_of(rows, width) + b"]}"


def _list_of(rows: int, width: int) -> bytes:
    row = b"[" + b"," * (width - 1) + b"]," if width else b","
    return (row * rows)[:-1]


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


def _tensor(values: Array, signature: Signature) -> torch.Tensor | None:
    booleans = [at for at, each in enumerate(signature.inputs) if each.type == "boolean"]
    if booleans and not np.isin(values[:, booleans], (0, 1)).all():
        return None
    most = greatest(signature.inputs)
    if not (np.min(values) >= -most and np.max(values) <= most):
        return None
    return torch.from_numpy(values.astype(raw_dtype(signature.inputs)))


@dataclass(frozen=True, slots=True)
class NumberList:
    """A list of numbers, or of `width` lists' worth of them: float64 [n] in row-major order; `width` is 0 where no list
    stands in it."""

    values: Array
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """[n] or [rows, width]."""
        return (len(self.values) // self.width, self.width) if self.width else (len(self.values),)

    def as_json(self) -> list[Any]:
        """As it came."""
        listed: list[Any] = (self.values.reshape(-1, self.width) if self.width else self.values).tolist()
        return listed


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of cells: numbers as float64 [rows, columns], NaN for empty ones, and the texts of the other columns."""

    numbers: Array
    texts: dict[int, list[str]]


def of_list(found: NumberList, signature: Signature, names: list[str] | None = None) -> torch.Tensor | None:
    """Raw features [n, slots] of rows of numbers whose columns have these names, or are the inputs in their order; None where
    anything is unusual."""
    inputs = [each.name for each in signature.inputs]
    if signature.has_missing_numbers or any(each.type not in ("number", "boolean") for each in signature.inputs):
        return None
    width = len(inputs if names is None else names)
    bare = names is None and width == 1 and found.width == 0  # numbers where there is one input
    if not width or (found.width != width and not bare):
        return None
    matrix = found.values.reshape(-1, width)
    if len(matrix) > MOST_ROWS:
        return None
    if names is not None and names != inputs:
        if not set(inputs) <= set(names) or not set(names) <= {*inputs, *(each.name for each in signature.outputs)}:
            return None
        matrix = matrix[:, [names.index(each) for each in inputs]]
    return _tensor(matrix, signature)


def without_lists(body: bytes, name: bytes) -> tuple[bytes, list[NumberList]] | None:
    """A document with `PLACE` for each list of numbers under this name, and these lists. None if there are none, or if the
    rest of the document could say `PLACE` itself.

    Where what is returned is JSON, each `PLACE` in it stands where such a list was; where such a list is JSON of its own, it
    was JSON in its place. The quotes of the name are never part of a text: there they would have backslashes.
    """
    parts, lists, done, at = list[bytes](), list[NumberList](), 0, 0
    key = b'"%b"' % name
    while (at := body.find(key, at)) >= 0:
        at += len(key)
        if (opening := _LIST.match(body, at)) is None:
            continue
        start = opening.end() - 1
        end = body.rfind(b"]", start, _first(body, start)) + 1
        if end > start and (found := number_list(body[start:end])) is not None:
            parts += body[done:start], PLACE_IN_JSON
            lists.append(found)
            done = at = end
    rest = body[done:]
    if not lists or b"\\" in rest or PLACE_IN_JSON in rest or any(b"\\" in each for each in parts):
        return None
    if any(PLACE_IN_JSON in each for each in parts[::2]):
        return None
    return b"".join([*parts, rest]), lists


def _first(body: bytes, start: int) -> int:
    """Where the next text begins, or the object ends."""
    ends = [end for end in (body.find(b'"', start), body.find(b"}", start)) if end >= 0]
    return min(ends, default=start)


def number_list(text: bytes) -> NumberList | None:
    """The numbers of a JSON list, or of a list of lists of one length; None if it is anything else."""
    nested = text.count(b"[") > 1
    listed = text.translate(None, _NUMBERS) if nested else b""
    width = listed.find(b"]") - 1 if nested else 0
    try:
        values = np.frombuffer(simdjson.Parser().parse(text).as_buffer(of_type="d"))  # type: ignore[union-attr]
    except (ValueError, TypeError, AttributeError, RuntimeError):
        return None
    rows = len(values) // max(1, width)
    if not rows or (nested and listed != b"[%b]" % _list_of(rows, width)):
        return None
    return NumberList(values, width)


def number_cells(rows: bytes, width: int, separator: bytes, texts: Collection[int]) -> Cells | None:
    """Lines of so many cells, each a number as JSON writes it or empty; in the columns `texts` any text without quotes. None
    if there is anything else.

    What is no number becomes space, and with it the separator after it: the rest is a list of numbers.
    """
    if b'"' in rows or b"\r" in rows or not rows:
        return None
    rows = rows if rows.endswith(b"\n") else rows + b"\n"
    given = np.frombuffer(rows, np.uint8)
    flat = np.flatnonzero((given == separator[0]) | (given == NEWLINE))
    if len(flat) % width:
        return None
    ends = flat.reshape(-1, width)
    if (given[ends[:, -1]] != NEWLINE).any() or (given[ends[:, :-1]] == NEWLINE).any():
        return None
    starts = np.concatenate(([0], flat[:-1] + 1)).reshape(-1, width)
    left_out = starts == ends
    if left_out.all(axis=1).any() and width == 1:  # a blank line
        return None
    found = {at: [rows[i:j] for i, j in zip(starts[:, at].tolist(), ends[:, at].tolist(), strict=True)] for at in texts}
    made = given.copy()
    made[flat] = COMMA
    for at in texts:
        left_out[:, at] = True
        lengths = ends[:, at] - starts[:, at]
        made[np.repeat(ends[:, at] - np.cumsum(lengths), lengths) + np.arange(lengths.sum())] = SPACE
    kept = flat[~left_out.ravel()]
    made[flat[left_out.ravel()]] = SPACE
    made[kept[-1:]] = SPACE  # nothing comes after the last one
    text = b"[%b]" % made.tobytes()
    numbers = np.full(ends.size, np.nan)
    if len(kept):
        try:
            numbers[~left_out.ravel()] = np.frombuffer(simdjson.Parser().parse(text).as_buffer(of_type="d"))  # type: ignore[union-attr]
        except (ValueError, TypeError, AttributeError, RuntimeError):
            return None
    if text.count(b"[") != 1:  # lists in it would be flattened
        return None
    return Cells(numbers.reshape(-1, width), {at: [text.decode() for text in each] for at, each in found.items()})
