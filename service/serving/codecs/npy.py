"""NPY: one array of numbers [rows, inputs] in the order of the signature, NaN for a missing value; or one input's values that
have a shape, such as pixels, [rows, …]."""

import ast
import functools
import io
import math
import re

import numpy as np

from service.serving.codecs.columns import from_matrix
from service.serving.codecs.shaped_values import kind_of, raw_of, read_values
from service.serving.forward import Array
from service.serving.limits import check_rows, invalid
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature
from service.workflow.spec_base import shown

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 4096
_NUMBERS = re.compile(r"[<>=|]?(f[248]|[iu][1248]|b1|\?)")  # as NumPy writes them
_NATIVE = {np.dtype(each).str: each for each in (np.float32, np.float64)}  # anything else becomes float64


def read(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes an array; see `codecs.Read`."""
    if signature.shaped:
        return _read_shaped(body, signature)
    width = len(signature.inputs)
    for each in signature.inputs:
        if each.type not in ("number", "boolean"):
            raise invalid(f"the input {shown(each.name)} is a {each.type}, and NPY holds numbers; send another format")
    start, dtype, fortran, shape = _header(body)
    if len(shape) == 1 and width == 1:
        shape = (*shape, 1)
    if len(shape) != 2 or shape[1] != width:
        raise invalid(f"the array has the shape {list(shape)}; [rows, {width}] is expected, a column for each input")
    _check_length(body, start, dtype, shape)
    check_rows(*shape)
    if dtype.kind == "b" and any(each.type != "boolean" for each in signature.inputs):
        raise invalid("the array holds booleans; numbers are expected")
    matrix = np.frombuffer(body, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    return from_matrix(signature, matrix.astype(_NATIVE.get(dtype.str, np.float64), copy=False), missing_allowed)


def _read_shaped(body: bytes, signature: Signature) -> Tensors:
    """The values of the one input, [rows, …]."""
    of = signature.inputs[0]
    if len(signature.inputs) > 1 or kind_of(of).ids(of) is not None:
        names = ", ".join(f"{each.name} ({each.type})" for each in signature.inputs)
        raise invalid(f"the model takes {names}, and NPY holds the numbers of one input; send another format")
    start, dtype, fortran, shape = _header(body)
    _check_length(body, start, dtype, shape)
    if not shape:
        raise invalid(f"the array has no axis of rows; [rows, {str(of.shape)[1:]} is expected")
    check_rows(shape[0], 1)
    array = np.frombuffer(body, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    tensor, wrong = read_values(of, array if len(shape) > 1 else array[:, None])
    if wrong:
        raise invalid(f"the array {next(iter(wrong.values()))}")
    return raw_of(signature, {of.name: tensor})


def _check_length(body: bytes, start: int, dtype: "np.dtype[np.generic]", shape: tuple[int, ...]) -> None:
    """Checks the size of an array before one is made: the header may state any."""
    size = math.prod(shape) * dtype.itemsize
    if size != len(body) - start:
        raise invalid(f"the header declares {size} bytes of numbers; {len(body) - start} follow")


def _header(body: bytes) -> tuple[int, "np.dtype[np.generic]", bool, tuple[int, ...]]:
    wide = body[6:7] in (b"\x02", b"\x03")
    start = 12 if wide else 10
    if not body.startswith(MAGIC) or body[6:7] not in (b"\x01", b"\x02", b"\x03") or len(body) < start:
        raise invalid("this is no NPY file of version 1, 2 or 3")
    end = start + int.from_bytes(body[8:start], "little")
    if end > min(len(body), LONGEST_HEADER):
        raise invalid(f"the header ends past the body, or is longer than {LONGEST_HEADER} bytes")
    return end, *_parsed(body[start:end])


@functools.lru_cache(maxsize=256)  # the same for every request of the same shape
def _parsed(header: bytes) -> tuple["np.dtype[np.generic]", bool, tuple[int, ...]]:
    try:
        fields = ast.literal_eval(header.decode("latin-1").strip())
        descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise invalid("the header cannot be read") from None
    # NumPy must not parse other dtypes: for `M8[s/0]` it divides by zero in native code, which ends the process.
    if not isinstance(descr, str) or _NUMBERS.fullmatch(descr) is None:  # a list is a structured dtype
        raise invalid(f"the array holds {shown(descr)}; floats, integers or booleans are expected")
    dtype = np.dtype(descr)
    if not isinstance(shape, tuple) or not all(type(each) is int and each >= 0 for each in shape):
        raise invalid("the header has no shape of whole numbers")
    return dtype, fortran is True, shape


def write(warm: Warm, answers: Array) -> bytes:
    """Encodes the answers as float32, or as float64 if one of the outputs is: [n] for one target, [n, k] for several,
    [n, classes] of probabilities in sorted order, NaN for unknown values."""
    made = answers.astype(warm.answers_dtype.newbyteorder("<"))  # a copy in the order of C
    known = np.isfinite(made)
    if not known.all():
        made[~known] = np.nan
    column = made.shape[1] == 1 and not warm.signature.classifies
    return _head(made.dtype.str, made.shape[:1] if column else made.shape) + made.tobytes()


@functools.lru_cache(maxsize=256)
def _head(descr: str, shape: tuple[int, ...]) -> bytes:
    """The header of an array with this dtype and shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()
