"""A fast parser of JSON bodies with numbers, texts and nulls, which makes no Python object for each number.

It handles the common forms only, and leaves all others, and all errors, to the general parser: so it must never accept what that
refuses, or read another value.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import simdjson
import torch

from service.serving.codecs.input_values import are_numeric, largest_number, parse_numbers
from service.serving.codecs.masked_json import A_NULL, A_NUMBER, Mask, columns, has_texts_or_nulls, mask
from service.serving.forward import Array
from service.serving.limits import MOST_ROWS
from service.workflow.data.table import Texts
from service.workflow.encode import raw_dtype, raw_features
from service.workflow.signature import Signature

LEAST_FAST_BYTES = 1024  # of a body; below, orjson and one array for the whole micro-batch are as fast
MOST_MISSES = 8  # lists that cannot be parsed
PLACEHOLDER, PLACEHOLDER_JSON = "a list of numbers", b'"a list of numbers"'
_NUMBERS = b"0123456789+-.eE \t\r\n"  # and white space
NEWLINE, COMMA, SPACE = b"\n, "
_SPACE = rb"[ \t\r\n]*"
# Without a byte order mark, which simdjson would skip, and without other members before the values.
_INSTANCES = re.compile(
    _SPACE + rb"\{" + _SPACE + rb'"instances"' + _SPACE + b":" + _SPACE + rb"\[" + _SPACE + rb'(?=[\["n0-9-])'
)
_LIST = re.compile(_SPACE + b":" + _SPACE + rb"\[")
INPUTS = re.compile(_SPACE + rb"\{" + _SPACE + rb'"inputs"' + _SPACE + b":" + _SPACE + rb"\{")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Values as float64 [rows, columns]. If some are texts or nulls, `cells` [rows, columns] is as `Mask.cells`, and `texts`
    has the distinct texts of each column."""

    values: Array
    cells: Array | None = None
    texts: Sequence[Sequence[str]] = ()

    def select(self, order: Sequence[int]) -> "Matrix":
        """The matrix with these columns, in this order."""
        if self.cells is None:
            return Matrix(self.values[:, order])
        return Matrix(self.values[:, order], self.cells[:, order], [self.texts[at] for at in order])


def read_fast(body: bytes, signature: Signature, missing_allowed: bool = False) -> torch.Tensor | None:
    """Raw features [n, w] of a body in rows or columns whose values are numbers (0 and 1 for booleans), texts and nulls; None
    if the general parser is needed."""
    if not signature.inputs or signature.has_missing_numbers or signature.shaped:
        return None
    try:
        if (start := _INSTANCES.match(body)) is not None:
            found = _rows(body, start.group(), len(signature.inputs))
        elif INPUTS.match(body) is not None:
            found = _columns(body, signature)
        else:
            return None
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError):  # invalid JSON, or other values
        return None
    if found is None or not 0 < len(found.values) <= MOST_ROWS:
        return None
    return _tensor(found, signature, missing_allowed)


def _rows(body: bytes, opening: bytes, width: int) -> Matrix | None:
    """Parses rows that are lists, or single values if there is one input."""
    masked = None
    if has_texts_or_nulls(body, len(opening), len(body)):
        made = bytearray(body)
        if (masked := mask(made, len(opening), len(made))) is None:
            return None
        body = bytes(made)
    document: Any = simdjson.Parser().parse(body)
    # It flattens nested lists, and raises for anything but numbers in them.
    values = np.frombuffer(document["instances"].as_buffer(of_type="d"))
    rows = len(values) // width
    # Without its numbers, the text shows the length of each list, and that nothing follows the last.
    listed = body.translate(None, _NUMBERS)
    if listed != _brackets_of_body(opening, rows, width) and (
        width > 1 or listed != _brackets_of_body(opening, rows, 0)
    ):
        return None
    return _matrix(values, width, masked)


def _matrix(values: Array, width: int, masked: Mask | None) -> Matrix:
    """The values of rows with `width` values each."""
    if masked is None:
        return Matrix(values.reshape(-1, width))
    return Matrix(values.reshape(-1, width), masked.cells(len(values)).reshape(-1, width), [masked.texts] * width)


@lru_cache(maxsize=16)  # of a few kilobytes each
def _brackets_of_body(opening: bytes, rows: int, width: int) -> bytes:
    """A body with this number of rows, without its numbers; width 0 means rows that are single numbers."""
    return opening.translate(None, _NUMBERS) + _brackets_of_rows(rows, width) + b"]}"


def _brackets_of_rows(rows: int, width: int) -> bytes:
    row = b"[" + b"," * (width - 1) + b"]," if width else b","
    return (row * rows)[:-1]


def _columns(body: bytes | bytearray, signature: Signature) -> Matrix | None:
    """Parses columns by name, each a list."""
    names = [each.name for each in signature.inputs]
    # As many brackets as columns: no list is nested. One in a text only leads to the general parser.
    if body.count(b"[") != len(names):
        return None
    masked: list[Mask | None] = []
    if not are_numeric(signature.inputs) or b"l" in body:  # faster than a search for `null`
        body = bytearray(body)
        for start, end in _lists(body):
            mixed = has_texts_or_nulls(body, start, end)
            masked.append(mask(body, start, end) if mixed else None)
            if mixed and masked[-1] is None:
                return None
    document: Any = simdjson.Parser().parse(body)
    by_column = document["inputs"]
    given = list(by_column.keys())
    if len(document) != 1 or len(by_column) != len(names) or set(given) != set(names):
        return None
    buffers = [np.frombuffer(by_column[name].as_buffer(of_type="d")) for name in names]
    if len({len(each) for each in buffers}) != 1:
        return None
    values = np.stack(buffers, axis=1)
    if not any(masked):
        return Matrix(values)
    cells = np.full(values.shape, A_NUMBER, np.int32)
    by_name = dict(zip(given, masked, strict=True))  # simdjson keeps their order
    for at, name in enumerate(names):
        if (made := by_name[name]) is not None:
            cells[:, at] = made.cells(len(values))
    return Matrix(values, cells, [made.texts if (made := by_name[name]) is not None else () for name in names])


def _lists(body: bytearray) -> Iterator[tuple[int, int]]:
    """The start and the end of the values of each list in an object, whose lists are not nested.

    Raises:
        ValueError: a name has a bracket, or a list does not end.
    """
    end = 0
    while (start := body.find(b"[", end)) >= 0:
        if body.count(b'"', end, start) % 2 or body.find(b"\\", end, start) >= 0:
            raise ValueError
        end = body.index(b"]", start)
        yield start + 1, end


def _tensor(found: Matrix, signature: Signature, missing_allowed: bool) -> torch.Tensor | None:
    values, most = found.values, largest_number(signature.inputs)
    if found.cells is not None:
        made = columns(values, found.cells, found.texts, signature.inputs, missing_allowed, most)
        return None if made is None else raw_features(signature.inputs, made)
    if not are_numeric(signature.inputs):
        return None
    booleans = [at for at, each in enumerate(signature.inputs) if each.type == "boolean"]
    if booleans and not np.isin(values[:, booleans], (0, 1)).all():
        return None
    if not (np.min(values) >= -most and np.max(values) <= most):
        return None
    return torch.from_numpy(values.astype(raw_dtype(signature.inputs)))


@dataclass(frozen=True, slots=True)
class ValueList:
    """The values of a JSON list: float64 [n], in row-major order if it has inner lists, whose length is `width`, and 0 else. They
    are 0 for the texts and nulls in `masked`."""

    values: Array
    width: int
    masked: Mask | None

    @property
    def shape(self) -> tuple[int, ...]:
        """[n] or [rows, width]."""
        return (len(self.values) // self.width, self.width) if self.width else (len(self.values),)

    def numbers(self) -> Array | None:
        """The numbers, NaN for null; None if there is a text."""
        if self.masked is None:
            return self.values
        if self.masked.texts:
            return None
        cells = self.masked.cells(len(self.values))
        return np.where(cells == A_NULL, np.nan, self.values)

    def texts(self) -> Texts | None:
        """The texts; None if there is a number."""
        cells = None if self.masked is None else self.masked.cells(len(self.values))
        if self.masked is None or cells is None or cells.min() < A_NULL:
            return None
        return Texts(cells, self.masked.texts)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of lines: numbers as float64 [rows, columns], NaN for empty cells, and the columns of texts by position."""

    numbers: Array
    texts: dict[int, Texts]


def features_of_list(
    found: ValueList, signature: Signature, missing_allowed: bool, names: list[str] | None = None
) -> torch.Tensor | None:
    """Converts rows to raw features [n, w]; None if the general parser is needed. `names` are those of the columns, None if
    these are the inputs in their order."""
    inputs = [each.name for each in signature.inputs]
    if signature.has_missing_numbers or signature.shaped:
        return None
    width = len(inputs if names is None else names)
    bare = names is None and width == 1 and found.width == 0  # single values
    if not width or (found.width != width and not bare):
        return None
    matrix = _matrix(found.values, width, found.masked)
    if len(matrix.values) > MOST_ROWS:
        return None
    if names is not None and names != inputs:
        if not set(inputs) <= set(names) or not set(names) <= {*inputs, *(each.name for each in signature.outputs)}:
            return None
        matrix = matrix.select([names.index(each) for each in inputs])
    return _tensor(matrix, signature, missing_allowed)


def extract_lists(body: bytes, name: bytes) -> tuple[bytes, list[ValueList]] | None:
    """Replaces each list of values under a name in a document by `PLACEHOLDER`.

    Returns the document and the lists; None if there are none, or if the rest of the document may have `PLACEHOLDER` or escapes.
    If the returned document is valid JSON, so was the original, as each list is valid on its own. The quotes of the name are
    never part of a text, where they would be escaped.
    """
    parts, lists, done, at, misses = list[bytes](), list[ValueList](), 0, 0, 0
    key = b'"%b"' % name
    while (at := body.find(key, at)) >= 0:
        at += len(key)
        if (opening := _LIST.match(body, at)) is None:
            continue
        start = opening.end() - 1
        for end in _possible_ends(body, start):
            if (found := parse_list(body[start:end])) is not None:
                parts += body[done:start], PLACEHOLDER_JSON
                lists.append(found)
                done = at = end
                break
        else:
            misses += 1
            if misses == MOST_MISSES:  # each takes a search through the rest of the body
                return None
    rest = body[done:]
    if not lists or b"\\" in rest or PLACEHOLDER_JSON in rest or any(b"\\" in each for each in parts):
        return None
    if any(PLACEHOLDER_JSON in each for each in parts[::2]):
        return None
    return b"".join([*parts, rest]), lists


def _possible_ends(body: bytes, start: int) -> Iterator[int]:
    """Possible ends of the list that begins here: before the next text, or, if it has texts, before the end of the object.
    Up to a wrong end it is no valid JSON."""
    brace = body.find(b"}", start)
    first = body.find(b'"', start)
    for before in (brace,) if first < 0 or 0 <= brace < first else (first, brace):
        if before >= 0 and (end := body.rfind(b"]", start, before) + 1) > start:
            yield end


def parse_list(text: bytes) -> ValueList | None:
    """Parses a JSON list, or a list of lists of one length; None if it has anything but numbers, texts and nulls."""
    masked = None
    if has_texts_or_nulls(text, 0, len(text)):
        made = bytearray(text)
        if (masked := mask(made, 0, len(made))) is None:
            return None
        text = bytes(made)
    nested = text.count(b"[") > 1
    left = text.translate(None, _NUMBERS) if nested else b""
    width = left.find(b"]") - 1 if nested else 0
    values = parse_numbers(text)
    rows = 0 if values is None else len(values) // max(1, width)
    if values is None or not rows or (nested and left != b"[%b]" % _brackets_of_rows(rows, width)):
        return None
    return ValueList(values, width, masked)


def parse_cells(rows: bytes, width: int, separator: bytes, texts: Collection[int]) -> Cells | None:
    """Parses lines of `width` cells: JSON numbers or empty, and texts without quotes in the columns at the positions `texts`.
    None if a line has another form.

    Everything but numbers is overwritten with spaces, together with the separator after it: a JSON list of numbers remains.
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
    found = {
        at: _distinct([rows[i:j] for i, j in zip(starts[:, at].tolist(), ends[:, at].tolist(), strict=True)])
        for at in texts
    }
    made = given.copy()
    made[flat] = COMMA
    for at in texts:
        left_out[:, at] = True
        lengths = ends[:, at] - starts[:, at]
        made[np.repeat(ends[:, at] - np.cumsum(lengths), lengths) + np.arange(lengths.sum())] = SPACE
    kept = flat[~left_out.ravel()]
    made[flat[left_out.ravel()]] = SPACE
    made[kept[-1:]] = SPACE  # no comma after the last one
    text = b"[%b]" % made.tobytes()
    numbers = np.full(ends.size, np.nan)
    if len(kept):
        found_numbers = parse_numbers(text)
        if found_numbers is None or len(found_numbers) != len(kept):
            return None
        numbers[~left_out.ravel()] = found_numbers
    if text.count(b"[") != 1:  # lists in it would be flattened
        return None
    return Cells(numbers.reshape(-1, width), found)


def _distinct(cells: list[bytes]) -> Texts:
    """A column of texts in UTF-8; an empty cell is a text, too."""
    known = {text: code for code, text in enumerate(dict.fromkeys(cells))}
    return Texts(np.array([*map(known.__getitem__, cells)], np.int32), [text.decode() for text in known])
