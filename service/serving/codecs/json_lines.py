"""JSON Lines: one row a line, a list or an object as in `instances`; one prediction a line, as in `predictions`."""

from typing import Any

import numpy as np
import orjson
import torch

from service.serving.codecs.fast_json import read_fast
from service.serving.codecs.instances import from_rows
from service.serving.codecs.json import NUMPY, chunks, values
from service.serving.forward import Array
from service.serving.limits import MOST_EMPTY_LINES, MOST_ROWS, check_lines, check_rows, invalid
from service.serving.warm_models import Warm
from service.strict_json import BOM, NotStrictJson, TooManyBrackets, decode
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature

SPACE = b" \t\r\n"
FEW = 4096  # the most lines of a body that the event loop decodes


def read(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes lines, of which empty ones are skipped; see `codecs.Read`."""
    text = body.removeprefix(BOM).strip(SPACE)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    count = text.count(b"\n") + 1
    if (found := _numbers(text, count, signature)) is not None:
        return found
    if (read := _at_once(text, count)) is None:
        lines = _non_empty(text, count)
        check_rows(len(lines), len(signature.inputs))
        read = [_row(line, at) for at, line in enumerate(lines)]
    check_rows(len(read), len(signature.inputs))
    return from_rows(signature, read, missing_allowed, 0)


def _non_empty(text: bytes, count: int) -> list[bytes]:
    """The lines that are not empty, stripped; `count` is the number of all lines.

    Raises:
        InvalidInstances: there are too many, or too many are empty.
    """
    if count > 2 * MOST_ROWS + MOST_EMPTY_LINES:
        raise invalid(f"has {count} lines, empty ones included; at most {MOST_ROWS} rows are taken in one request")
    lines = [line for each in text.split(b"\n") if (line := each.strip(SPACE))]
    check_lines(count, len(lines))
    return lines


def read_small(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors | None:
    """As `read`, but None if there are more than `FEW` lines."""
    return read(body, signature, missing_allowed) if body.count(b"\n") <= FEW else None


def rows(lines: list[bytes], signature: Signature, missing_allowed: bool, first: int) -> Tensors:
    """Decodes stripped lines to raw features; errors count rows from `first`.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    if not first:
        lines = [lines[0].removeprefix(BOM), *lines[1:]]
    text = b"\n".join(lines)
    if (found := _numbers(text, len(lines), signature)) is not None:
        return found
    if (read := _at_once(text, len(lines))) is None:
        read = [_row(line, first + at) for at, line in enumerate(lines)]
    return from_rows(signature, read, missing_allowed, first)


def _numbers(text: bytes, count: int, signature: Signature) -> torch.Tensor | None:
    """Decodes lines that are all lists of numbers; None if there is anything else."""
    # Each line begins and ends a list of its own, which excludes two lists on one line, a list over two lines, and texts.
    if text[:1] != b"[" or text[-1:] != b"]" or b'"' in text or text.count(b"]\n[") != count - 1:
        return None
    found = read_fast(b'{"instances":[%b]}' % text.replace(b"\n", b","), signature)
    return found if found is not None and len(found) == count else None


def _at_once(text: bytes, count: int) -> list[Any] | None:
    """The rows of lines that are all lists, or all objects, of single values; None if there is anything else.

    The only opening bracket of each line is its first byte, so that each row is on a line of its own.
    """
    opening, end, other = (b"[", b"]", b"{") if text[:1] == b"[" else (b"{", b"}", b"[")
    between = end + b"\n" + opening
    if text[:1] != opening or text[-1:] != end or other in text:
        return None
    if text.count(opening) != count or text.count(between) != count - 1:
        return None
    try:
        found = orjson.loads(b"[%b]" % text.replace(b"\n", b","))
    except orjson.JSONDecodeError:
        return None
    # As many colons as members: no member is repeated, unless a text has colons.
    if len(found) != count or (opening == b"{" and text.count(b":") != sum(map(len, found))):
        return None
    return list(found)


def _row(line: bytes, number: int) -> Any:
    try:
        return decode(line)
    except (NotStrictJson, TooManyBrackets) as error:
        raise invalid(f"the line is not valid JSON: {error}", f"/{number}") from None


def write(warm: Warm, answers: Array) -> bytes:
    """Encodes the answers, one line for each row."""
    return b"".join(_written(warm, part) for part in chunks(warm, answers))


def _written(warm: Warm, answers: Array) -> bytes:
    predictions = values(warm, answers)
    if isinstance(predictions, np.ndarray):
        text = orjson.dumps(predictions, option=NUMPY)[1:-1]
        return (text.replace(b",", b"\n") if predictions.ndim == 1 else text.replace(b"],[", b"]\n[")) + b"\n"
    return b"".join(orjson.dumps(each, option=NUMPY | orjson.OPT_APPEND_NEWLINE) for each in predictions)
