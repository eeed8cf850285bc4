"""Converts the values of an input whose values have a shape, such as an image or a long text, from any format of a request to
the raw tensor that its type makes of them."""

import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from service.serving.codecs.input_values import RowErrors
from service.serving.limits import invalid
from service.serving.memory_budget import take
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.category import as_text
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.data.values import InvalidValue
from service.workflow.encode import beside_columns, raw_features
from service.workflow.errors import InvalidData
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Input, Signature
from service.workflow.spec_base import MOST_FAULTS, shown

MOST_TENSOR_BYTES = 256 * 2**20  # of one input in a request
MOST_PIXELS = 256_000_000  # in memory, of all files of one input in a request, before they are made smaller
MOST_TEXT = 2**20  # characters
PIXEL_BYTES = 4  # in memory, of a picture that is decoded
B64 = "b64"


def is_file(of: Input) -> bool:
    """Whether the input's values may be the bytes of a file."""
    return of.shape is not None and kind_of(of).files


def kind_of(of: Input) -> ShapedType:
    """The type of an input whose values have a shape."""
    kind = COLUMN_TYPES[of.type]
    assert isinstance(kind, ShapedType)  # noqa: S101 - such an input has no other
    return kind


def raw_of(signature: Signature, columns: Mapping[str, Any]) -> Tensors:
    """The raw features of all inputs, from the columns by name: tensors for those whose values have a shape."""
    if not signature.shaped:
        return raw_features(signature.inputs, columns)
    shaped = {each.name: columns[each.name] for each in signature.inputs if each.shape is not None}
    return beside_columns(signature.inputs, columns, shaped)


def bare(of: Input, row: Any) -> bool:
    """Whether a row of a model with this one input is the value itself, not a list or an object of values."""
    if isinstance(row, dict):
        return row.keys() == {B64} and of.name != B64
    if not isinstance(row, list):
        return True
    return not (len(row) == 1 and _depth(row) != len(of.shape or ()))


def read_values(of: Input, values: "Sequence[Any] | Numbers | Texts") -> tuple[Tensor, RowErrors]:
    """The raw tensor [n, *shape] of a column of a request, and the errors by row; it is of zeros if there are any.

    Args:
        of: the input.
        values: an array [n, …]; or for each row a text, bytes, `{"b64": …}`, nested lists, an array, or None.

    Raises:
        InvalidInstances: the values are too many for one request.
    """
    _check_size(of, len(values))
    if isinstance(values, np.ndarray) and values.ndim > 1:
        found, message = _shaped(of, values, 1)
        return (_blank(of, len(values)), {0: message}) if found is None else (_tensor(of, found), {})
    if isinstance(values, Texts):
        values = [None if code < 0 else values.values[code] for code in values.codes.tolist()]
    items, wrong = [], RowErrors()
    for row, value in enumerate(values):
        item, message = _item(of, value)
        items.append(item)
        if message and len(wrong) < MOST_FAULTS:
            wrong[row] = message
    if not wrong:
        try:
            return _read(of, items), {}
        except InvalidValue as error:
            wrong[error.row] = str(error)
        except InvalidData as error:
            wrong[0] = str(error)
    return _blank(of, 1).expand(len(items), *(of.shape or ())), wrong


def _read(of: Input, items: list[Any]) -> Tensor:
    arrays = [each for each in items if isinstance(each, np.ndarray)]
    if arrays and len(arrays) == len(items):
        return _tensor(of, np.stack(arrays))
    kind, places = kind_of(of), [row for row, each in enumerate(items) if not isinstance(each, np.ndarray)]
    _check_pixels(of, [kind.pixels(items[row]) for row in places if items[row] is not None])
    try:
        column = kind.from_request(of, [items[row] for row in places])
        tensor = kind.to_tensor(of, column, TensorCache())
    except InvalidValue as error:
        raise InvalidValue(places[error.row], str(error)) from None
    if not arrays:
        return tensor
    made = _blank(of, len(items))
    made[places] = tensor
    made[[row for row, each in enumerate(items) if isinstance(each, np.ndarray)]] = _tensor(of, np.stack(arrays))
    return made


def _tensor(of: Input, array: Numbers) -> Tensor:
    array = array if array.flags.writeable else array.copy()  # torch has no tensors that are read-only
    return kind_of(of).to_tensor(of, array, TensorCache())


def _blank(of: Input, rows: int) -> Tensor:
    return kind_of(of).blank(of, rows)


def _check_size(of: Input, rows: int) -> None:
    """Checks the size of the tensor before it is allocated, and counts it."""
    size = _blank(of, 0).element_size() * math.prod(of.shape or ())
    if rows * size > MOST_TENSOR_BYTES:
        most = max(1, MOST_TENSOR_BYTES // size)
        raise invalid(f"{rows} rows are too many for one request; this model takes at most {most} at once")
    take(rows * size)


def _check_pixels(of: Input, pixels: list[int]) -> None:
    """Checks the pixels of files before they are decoded, and counts the memory of the largest. One that is too large alone
    is left to its type, which names it."""
    pixels = [each for each in pixels if each <= MOST_PIXELS]
    total = sum(pixels)
    if total > MOST_PIXELS and len(pixels) > 1:
        what = f"the {of.type}s of {shown(of.name)} take {total:,} pixels of memory together"
        raise invalid(
            f"{what}; at most {MOST_PIXELS:,} are decoded in one request: send fewer at once, or smaller ones"
        )
    take(PIXEL_BYTES * max(pixels, default=0))


def _item(of: Input, value: Any) -> tuple[Any, str]:
    """A value for `from_request`, or an array of exactly the shape; or else what is wrong with it."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | dict):
        value = value[0]  # a list of one, as TensorFlow Serving takes it
    if isinstance(value, dict) and value.keys() == {B64}:
        value = _from_base64(value[B64]) if isinstance(value[B64], str) else None
        if value is None:
            return None, "`b64` is no base64: A to Z, a to z, 0 to 9, + and /, padded with = to a multiple of 4"
    kind = kind_of(of)
    if isinstance(value, bytes) and not kind.files and kind.ids(of) is not None:
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None, "is not UTF-8"
    if kind.ids(of) is not None and isinstance(value, bool | int | float):
        value = as_text(value)
    if isinstance(value, str):
        return _item_of_text(of, kind, value)
    if value is None or (isinstance(value, bytes) and kind.files):
        return value, ""
    if isinstance(value, list | np.ndarray) and kind.ids(of) is None:
        return _shaped(of, value, 0)
    return None, f"expected {wanted(of)}, not {_named(value)}"


def _item_of_text(of: Input, kind: ShapedType, text: str) -> tuple[Any, str]:
    if of.how.is_missing(text):
        return None, ""
    if kind.ids(of) is not None:
        long = len(text) > MOST_TEXT
        return (None, f"has {len(text):,} characters; at most {MOST_TEXT:,} are taken") if long else (text, "")
    head, comma, rest = text.partition(",") if text[:5].lower() == "data:" else (text[:1], "", "")
    if kind.files and comma:
        found = _from_base64(rest) if head.lower().endswith(";base64") else None
        return found, "" if found is not None else "the data: URL has no base64, as data:image/png;base64,… has"
    return None, f"expected {wanted(of)}, not {_named(text)}"


def wanted(of: Input) -> str:
    """What is expected as a value in JSON."""
    kind, shape = kind_of(of), list(of.shape or ())
    if kind.ids(of) is not None:
        return "a text"
    what = "whole numbers from 0 to 255" if of.dtype == "uint8" else "numbers"
    lists = f"nested lists of {what} of the shape {shape}"
    return f'{{"b64": "…"}} with the bytes of a file, a data: URL, or {lists}' if kind.files else lists


def _from_base64(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of which binascii.Error is one
        return None


def _named(value: Any) -> str:
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, str | list):
        return f"a text of {len(value)} characters" if isinstance(value, str) else "a list"
    return "an object" if isinstance(value, dict) else shown(value)


def _shaped(of: Input, value: "list[Any] | Numbers", rows: int) -> tuple[Numbers | None, str]:
    """Nested lists or an array, after `rows` axes of exactly the input's shape and of its type; or what is wrong with it."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None, "its lists have different lengths"
    if array.dtype.kind not in "iuf":
        return None, "holds something else than numbers"
    if (placed := _in_order(of, array, rows)) is None:
        return None, f"has the shape {list(array.shape[rows:])}; {list(of.shape or ())} is expected"
    if of.dtype != "uint8":
        with np.errstate(over="ignore"):
            wide = placed.astype(np.float32)
        return (wide, "") if np.isfinite(wide).all() else (None, "holds numbers that are not finite in float32")
    if placed.dtype != np.uint8 and not (np.isin(placed, np.arange(256)).all()):
        return None, "holds something else than whole numbers from 0 to 255"
    return placed.astype(np.uint8, copy=False), ""


def _in_order(of: Input, array: Numbers, rows: int) -> Numbers | None:
    """The array with its axes in the order of the shape. Pictures may also have their channels last, or no axis for one."""
    shape, given = tuple(of.shape or ()), array.shape[rows:]
    if given == shape:
        return array
    if not kind_of(of).files or len(shape) < 3:
        return None
    *front, channels, height, width = shape
    if given == (*front, height, width, channels):
        return np.moveaxis(array, -1, -3)
    return np.expand_dims(array, -3) if channels == 1 and given == (*front, height, width) else None


def _depth(nested: Any) -> int:
    """How deep lists are nested, along the first of each."""
    depth = 0
    while isinstance(nested, list):
        nested, depth = nested[0] if nested else None, depth + 1
    return depth
