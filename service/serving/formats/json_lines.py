"""JSON Lines: one row a line, a list or an object as in `instances`; one prediction a line, as in `predictions`."""

import re
from typing import Any

import numpy as np
import orjson
import torch

from service.serving.answers import told
from service.serving.fast_json import fast
from service.serving.formats.columns import check_rows, invalid
from service.serving.formats.tables import Array
from service.serving.instances import from_rows
from service.serving.warm_models import Warm
from service.workflow.signature import Signature

NUMPY = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_STRING = re.compile(rb'"(?>[^"\\]+|\\.)*+"', re.DOTALL)  # possessive: it remembers nothing on its way


def read(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots]. Empty lines are left out.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    lines = [line for line in body.split(b"\n") if line.strip(b" \t\r")]
    check_rows(len(lines))
    return rows(lines, signature, missing_allowed, 0)


def rows(lines: list[bytes], signature: Signature, missing_allowed: bool, first: int) -> torch.Tensor:
    """Raw features of lines, the first of which is the row with this number.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    text = b"\n".join(lines)
    # Each line begins and ends a list of its own: two on one line, or one over two, would else read the same.
    if text[:1] == b"[" and text[-1:] == b"]" and text.count(b"]\n[") == len(lines) - 1:
        found = fast(b'{"instances":[%b]}' % text.replace(b"\n", b","), signature)
        if found is not None and len(found) == len(lines):
            return found
    return from_rows(signature, [_row(line, first + at) for at, line in enumerate(lines)], missing_allowed, first)


def _row(line: bytes, number: int) -> Any:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise invalid(f"the line is not valid JSON: {error}", f"/{number}") from None
    # As in a JSON body: outside of strings every colon stands for one member, so a lost one shows in the count.
    if isinstance(row, dict) and _STRING.sub(b"", line).count(b":") != len(row):
        raise invalid("the object has a name twice, or an object inside of it", f"/{number}")
    return row


def write(warm: Warm, answers: Array) -> bytes:
    """One line for each row."""
    predictions = told(warm, answers)
    if isinstance(predictions, np.ndarray):
        text = orjson.dumps(predictions, option=NUMPY)[1:-1]
        return (text.replace(b",", b"\n") if predictions.ndim == 1 else text.replace(b"],[", b"]\n[")) + b"\n"
    return b"".join(orjson.dumps(each, option=NUMPY | orjson.OPT_APPEND_NEWLINE) for each in predictions)
