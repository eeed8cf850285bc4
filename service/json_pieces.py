"""Splits a large JSON document into small ones, because orjson holds the interpreter lock for a whole document."""

from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from secrets import token_hex
from typing import Any

import numpy as np

AT_ONCE = 256 * 2**10  # bytes of a piece, unless a single value has more
# The name of the member that a piece continues; random, so that no document contains it.
GOES_ON = token_hex(16)
_SPACE = b" \t\r\n"
_QUOTE, _BACKSLASH, _COMMA, _OPENS, _CLOSES, _LETTER_CASE = *b'"\\,{}', 32
_CLOSING = bytes.maketrans(b"[{", b"]}")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a document between two commas, made a valid document: the lists and objects that are open at its beginning
    and end are opened and closed. The document is valid JSON if and only if all its pieces are."""

    text: bytes
    open: int  # how many lists and objects it continues; of an object, except the innermost, by the member `GOES_ON`
    start: int  # where `content` begins, in the document
    lead: int  # bytes of `text` before that


def pieces(document: bytes, deepest: int, at_once: int = AT_ONCE) -> Iterator[Piece]:
    """The pieces of a document, in order, of `at_once` bytes, or more if a single value has more.

    Raises:
        JSONDecodeError: an element or member is missing beside a comma, or the nesting is deeper than `deepest`. Its position
            is in bytes.
    """
    start, before = 0, b""
    for end, after in _cuts(document, at_once):
        if len(after) > deepest:
            raise JSONDecodeError("the depth is more than is taken", "", end)
        yield _piece(document, start, before, end, after)
        start, before = end + 1, after
    yield _piece(document, start, before, len(document), b"")


def join(whole: Any, part: Any, open_: int) -> bool:
    """Adds the value of a piece to the value of all pieces before it; False if an object has a name twice."""
    for level in range(open_, 0, -1):
        innermost = level == 1
        if isinstance(whole, list):
            inner, more = whole[-1], part[0]
            whole.extend(part if innermost else part[1:])
        else:
            inner = next(reversed(whole.values()))
            more = None if innermost else part.pop(GOES_ON)
            expected = len(whole) + len(part)
            whole.update(part)
            if len(whole) != expected:
                return False
        whole, part = inner, more
    return True


def _piece(document: bytes, start: int, before: bytes, end: int, after: bytes) -> Piece:
    content = document[start:end]
    bare = content.strip(_SPACE)
    if before and bare[:1] in (b"", b"]", b"}"):
        raise JSONDecodeError("nothing follows a comma", "", start - 1)
    if after and bare[-1:] in (b"", b"[", b"{"):
        raise JSONDecodeError("nothing precedes a comma", "", end)
    opening = b"".join(b"[" if each == b"["[0] else b'{"%b":' % GOES_ON.encode() for each in before[:-1]) + before[-1:]
    return Piece(b"".join((opening, content, after[::-1].translate(_CLOSING))), len(before), start, len(opening))


def _cuts(document: bytes, at_once: int) -> Iterator[tuple[int, bytes]]:
    """The positions of the commas to split at, each with the brackets that are open there."""
    at, opened, quoted, escaped = 0, b"", False, False
    while at + at_once < len(document):
        block = np.frombuffer(document, np.uint8, at_once, at)
        quotes, escaped = _quotes(block, escaped)
        inside = np.logical_xor.accumulate(quotes) ^ quoted
        outside = ~inside
        either = block | _LETTER_CASE  # `[` as `{`, and `]` as `}`
        steps = ((either == _OPENS) & outside).astype(np.int8) - ((either == _CLOSES) & outside)
        depth = np.cumsum(steps, dtype=np.int32) + len(opened)
        commas = np.flatnonzero((block == _COMMA) & outside & (depth > 0))
        end = int(commas[-1]) + 1 if len(commas) else len(block)
        opened = _open_after(opened, block[:end], steps[:end], depth[:end])
        if len(commas):
            yield at + end - 1, opened
            quoted, escaped = False, False
        else:
            quoted = bool(inside[-1])
        at += end


def _quotes(block: Array, escaped: bool) -> tuple[Array, bool]:
    """Which bytes are quotes that begin or end a string, and whether the last byte of the block escapes the next one."""
    quotes, backslashes = block == _QUOTE, block == _BACKSLASH
    if not escaped and not backslashes.any():
        return quotes, False
    # An odd number of backslashes before a byte.
    places = np.arange(1, len(block) + 1, dtype=np.int32)
    run = places - np.maximum.accumulate(np.where(backslashes, np.int32(-1 if escaped else 0), places))
    odd = (run & 1).astype(bool)
    return quotes & ~np.concatenate(([escaped], odd[:-1])), bool(odd[-1])


def _open_after(opened: bytes, block: Array, steps: Array, depth: Array) -> bytes:
    """The brackets that are open after the block, given those open before it."""
    least = np.minimum.accumulate(depth[::-1])[::-1]  # from each byte on
    kept = max(0, min(len(opened), int(least[0])))
    still: bytes = block[(steps > 0) & (least == depth)].tobytes()
    return opened[:kept] + still
