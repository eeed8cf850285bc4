"""Tensors of the Open Inference Protocol: a name, a datatype, a shape, and values in JSON or as bytes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from service.serving.codecs.columns import from_matrix
from service.serving.codecs.fast_json import ValueList
from service.serving.codecs.input_values import are_numeric
from service.serving.codecs.instances import check_names, from_columns
from service.serving.forward import Array
from service.serving.limits import check_rows, invalid
from service.workflow.data.table import Texts
from service.workflow.errors import step
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature
from service.workflow.spec_base import nearest, shown

BOOL, BYTES, BF16, FP16 = "BOOL", "BYTES", "BF16", "FP16"
INTEGERS = {f"{sign}INT{bits}": f"<{sign.lower() or 'i'}{bits // 8}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
FLOATS = {FP16: "<f2", BF16: "<u2", "FP32": "<f4", "FP64": "<f8"}  # NumPy has no BF16: the upper half of a float32
DTYPES = {name: np.dtype(code) for name, code in ({BOOL: "u1"} | INTEGERS | FLOATS).items()}
_NATIVE = frozenset(map(np.dtype, ("<f4", "<f8")))  # any other number becomes a float64
_JSON_TYPES: dict[str, tuple[frozenset[type], str]] = {  # the types of JSON values for each, and what to call them
    BYTES: (frozenset({str}), "texts"),
    BOOL: (frozenset({bool, int}), "true or false"),
    **{each: (frozenset({int}), "whole numbers") for each in INTEGERS},
    **{each: (frozenset({int, float}), "numbers") for each in FLOATS},
}

Values = Array | list[Any]  # flat, in row-major order; BYTES as texts, None for a missing value


def parsed_values(datatype: object, shape: object, found: ValueList) -> Array | Texts | None:
    """The values of a JSON list, nested or flat, for a tensor; None if the general parser is needed."""
    if datatype not in ("FP32", "FP64", BYTES) or not isinstance(
        shape, list
    ):  # a float64 may have been an integer or not
        return None
    flat = not found.width and len(shape) == 2 and all(type(each) is int for each in shape)
    if shape != list(found.shape) and not (flat and math.prod(shape) == len(found.values)):
        return None
    return found.texts() if datatype == BYTES else found.numbers()


MOST_AXES = 8  # of a tensor


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a request: [rows] or [rows, columns]; or [rows, …] for an input whose values have a shape. The texts of
    such an input may be bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values | Texts

    @property
    def columns(self) -> int:
        """How many values each row has."""
        return self.shape[1] if len(self.shape) == 2 else 1


def check_shape(shape: object, at: str) -> tuple[int, ...]:
    """Checks a shape that a client has sent; it must not be used for allocation before the data are checked.

    Raises:
        InvalidInstances: it is no shape, or has too many rows or axes.
    """
    if not isinstance(shape, list) or not all(type(each) is int and each >= 0 for each in shape):
        raise invalid("expected a list of whole numbers, such as [2, 4]", at)
    if not 0 < len(shape) <= MOST_AXES:
        raise invalid(f"has {len(shape)} dimensions; [rows] or [rows, columns] is expected", at)
    check_rows(shape[0], 1)
    return tuple(shape)


def from_json(datatype: str, shape: tuple[int, ...], data: object, at: str) -> Values | Texts:
    """Converts the JSON values of a tensor, nested by its shape or flat; `at` is their JSON pointer.

    Raises:
        InvalidInstances: they do not match the datatype or the shape.
    """
    if datatype in (FP16, BF16):
        raise invalid(f"{datatype} cannot be sent as JSON; send its bytes, or FP32", at)
    if isinstance(data, np.ndarray | Texts):  # of `parsed_values`
        return data
    flat = _flat(data, shape, at)
    if len(flat) != math.prod(shape):
        raise invalid(f"has {len(flat)} values; the shape {list(shape)} has {math.prod(shape)}", at)
    types = set(map(type, flat))
    missing = type(None) in types
    types -= {type(None)}
    wanted, what = _JSON_TYPES[datatype]
    if not types <= wanted:
        odd = next(each for each in flat if each is not None and type(each) not in wanted)
        raise invalid(f"{datatype} holds {what}, not {shown(odd)}", at)
    if datatype == BYTES:
        return flat
    dtype = np.bool_ if datatype == BOOL else np.float64 if datatype in FLOATS or missing else DTYPES[datatype]
    if datatype not in FLOATS:
        known = [each for each in flat if each is not None] if missing else flat
        lowest, highest = _range(datatype)
        if known and (min(known) < lowest or max(known) > highest):
            raise invalid(f"holds a value beyond {datatype}: {lowest} to {highest}", at)
    try:
        return np.array(flat, np.float64 if missing else dtype)  # None becomes NaN
    except OverflowError:
        raise invalid(f"holds a value beyond {datatype}", at) from None


def from_bytes(datatype: str, shape: tuple[int, ...], data: memoryview, at: str, *, files: bool = False) -> Values:
    """Converts the bytes of a tensor; `at` is its JSON pointer. With `files` BYTES stay bytes.

    Raises:
        InvalidInstances: they do not match the datatype or the shape.
    """
    count = math.prod(shape)
    if datatype == BYTES:
        return _texts(data, count, at, files)
    dtype = DTYPES[datatype]
    if count * dtype.itemsize != len(data):
        message = f"{datatype} of the shape {list(shape)} takes {count * dtype.itemsize} bytes; {len(data)} are there"
        raise invalid(message, at)
    values = np.frombuffer(data, dtype)
    if datatype == BOOL:
        if (values > 1).any():
            raise invalid("BOOL is a byte 0 or 1 for each value", at)
        return values.view(np.bool_)
    return (values.astype("<u4") << 16).view("<f4") if datatype == BF16 else values


def to_bytes(datatype: str, values: Values) -> bytes:
    """The bytes of a tensor. An unknown value is an empty text, 0 or false: only floats have NaN."""
    if datatype == BYTES:
        texts = [b"" if each is None else each.encode() for each in values]
        return b"".join(part for text in texts for part in (len(text).to_bytes(4, "little"), text))
    given = [0 if each is None else each for each in values] if isinstance(values, list) else values
    return np.asarray(given).astype(DTYPES[datatype], copy=False).tobytes()


def raw_rows(signature: Signature, tensors: Sequence[Tensor], missing_allowed: bool) -> Tensors:
    """Raw features [n, w] from one tensor [rows, inputs] of any name, if all inputs are numbers or booleans; or from a
    tensor [rows] or [rows, 1] for each input, by its name.

    Raises:
        InvalidInstances: what is wrong, by tensor and row.
    """
    if signature.shaped:
        return _shaped_rows(signature, tensors, missing_allowed)
    for each in tensors:
        if len(each.shape) > 2:
            message = f"has {len(each.shape)} dimensions; [rows] or [rows, columns] is expected"
            raise invalid(message, step(each.name))
    plain = are_numeric(signature.inputs)
    width = len(signature.inputs)
    if plain and len(tensors) == 1:
        only = tensors[0]
        if only.columns == width:
            return from_matrix(signature, _numbers(signature, only).reshape(only.shape[0], width), missing_allowed)
        if only.name not in {each.name for each in signature.inputs}:
            raise invalid(f"has the shape {list(only.shape)}; [rows, {width}] is expected", step(only.name))
    used = _by_name(signature, tensors)
    for each in used:
        if each.columns != 1 or each.shape[0] != used[0].shape[0]:
            expected = f"[{used[0].shape[0]}] or [{used[0].shape[0]}, 1]"
            raise invalid(
                f"has the shape {list(each.shape)}; {expected} is expected, as of every input", step(each.name)
            )
    if plain:
        return from_matrix(signature, np.stack([_numbers(signature, each) for each in used], axis=1), missing_allowed)
    return from_columns(signature, {each.name: each.values for each in used}, missing_allowed)


def _by_name(signature: Signature, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors in the order of the inputs."""
    by_name = {each.name: each for each in tensors}
    if len(by_name) < len(tensors):
        raise invalid("two tensors have the same name")
    check_names(signature, by_name)
    return [by_name[each.name] for each in signature.inputs]


def _shaped_rows(signature: Signature, tensors: Sequence[Tensor], missing_allowed: bool) -> Tensors:
    """Raw features from a tensor for each input by its name: [rows] or [rows, 1] of texts, of bytes, or of values of a table's
    column; [rows, …] of numbers where values have a shape. The tensor of one input may have any name."""
    used = list(tensors) if len(signature.inputs) == len(tensors) == 1 else _by_name(signature, tensors)
    columns: dict[str, Any] = {}
    for of, each in zip(signature.inputs, used, strict=True):
        rows = used[0].shape[0]
        single = each.shape in ((rows,), (rows, 1))
        numbers = each.values if of.shape is not None and isinstance(each.values, np.ndarray) else None
        if each.shape[0] != rows or not (single or numbers is not None):
            expected = f"[{rows}] or [{rows}, 1]" if of.shape is None else f"[{rows}], or [{rows}, …] of numbers,"
            message = f"has the shape {list(each.shape)}; {expected} is expected, as of every input"
            raise invalid(message, step(each.name))
        shape = each.shape if len(each.shape) > 1 else (rows, 1)
        columns[of.name] = each.values if numbers is None else numbers.reshape(shape)
    return from_columns(signature, columns, missing_allowed)


def check_datatype(datatype: object, at: str) -> str:
    """Checks a datatype.

    Raises:
        InvalidInstances: it is unknown.
    """
    if not isinstance(datatype, str) or (datatype != BYTES and datatype not in DTYPES):
        raise invalid(f"unknown datatype; {nearest(str(datatype)[:20], [*DTYPES, BYTES])}", at)
    return datatype


def _range(datatype: str) -> tuple[int, int]:
    if datatype == BOOL:
        return 0, 1
    limits = np.iinfo(DTYPES[datatype])
    return int(limits.min), int(limits.max)


def _flat(data: object, shape: tuple[int, ...], at: str) -> list[Any]:
    if not isinstance(data, list):
        raise invalid("expected a list of values", at)
    if len(shape) == 1 or not data or not isinstance(data[0], list):
        return data
    size = shape[0]
    for axis in shape[1:]:
        if len(data) != size or set(map(type, data)) != {list} or set(map(len, data)) != {axis}:
            raise invalid(f"is not nested according to the shape {list(shape)}", at)
        data, size = list(chain.from_iterable(data)), size * axis
    return data


def _texts(data: memoryview, count: int, at: str, files: bool) -> list[Any]:
    """Texts in UTF-8, or the bytes of files, each after its length in four bytes."""
    found: list[Any] = []
    start = 0
    while start < len(data) and len(found) < count:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if end > len(data):
            break
        try:
            found.append(bytes(data[start + 4 : end]) if files else str(data[start + 4 : end], "utf-8"))
        except UnicodeDecodeError:
            raise invalid(f"the text {len(found)} is not UTF-8", at) from None
        start = end
    if len(found) != count or start != len(data):
        raise invalid(f"{count} texts with their lengths do not make up these {len(data)} bytes", at)
    return found


def _numbers(signature: Signature, tensor: Tensor) -> Array:
    """The flat numbers of a tensor, for inputs that are numbers or booleans."""
    values = tensor.values
    if isinstance(values, list | Texts):
        raise invalid("holds texts; numbers are expected", step(tensor.name))
    if values.dtype == np.bool_:
        inputs = [
            each for each in signature.inputs if tensor.columns > 1 or each.name == tensor.name
        ] or signature.inputs
        if any(each.type != "boolean" for each in inputs):
            raise invalid("holds booleans; numbers are expected", step(tensor.name))
    return values if values.dtype in _NATIVE else values.astype(np.float64)
