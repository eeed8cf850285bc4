"""Strict decoding of JSON from outside: bodies, lines, files, bundles. Every package may import it."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from threading import Lock
from typing import Any

import numpy as np
import orjson

from service.json_pieces import AT_ONCE, join, pieces

DEEPEST = 100
TWICE = "an object has the same name twice"
BOM = b"\xef\xbb\xbf"
# Opening brackets: a million rows and some more. Each list or object takes many times its two bytes in memory. Brackets in
# strings are counted too, because finding them would cost as much.
MOST_BRACKETS = 1_100_000
LARGE = 4096  # bytes
A_CONTAINER, A_VALUE = 200, 32  # bytes that an object or list, and a number or text in it, take in memory
SPLIT_AT_ONCE = 2**20  # bytes that are split at quotes at a time: each part takes some thirty bytes more
_PAUSE = Lock()
# Possessive quantifiers, which do not backtrack.
_STRING = re.compile(rb'"(?>[^"\\]+|\\.)*+"', re.DOTALL)
_PORTION = re.compile(rb'(?>[^"]+|"(?>[^"\\]+|\\.)*+"){1,20000}+', re.DOTALL)


class NotStrictJson(ValueError):
    """It is not valid JSON."""


class TooManyBrackets(ValueError):
    """It has too many lists and objects."""


def decode(text: bytes, most_brackets: float = MOST_BRACKETS, at_once: int = AT_ONCE) -> Any:
    """The value of a JSON document in UTF-8, without a byte order mark.

    orjson refuses NaN, Infinity, numbers beyond a double, lone surrogates and bad UTF-8. Duplicate names in one
    object, which it would silently drop, are checked here. A document of more than `at_once` bytes is decoded in pieces of
    that size, because orjson does not release the interpreter lock.

    Raises:
        NotStrictJson: it is none, it is too deep, or an object has a name twice.
        TooManyBrackets: it has too many lists and objects.
    """
    if len(text) > most_brackets and count_brackets(text) > most_brackets:
        raise TooManyBrackets(f"the JSON has more than {most_brackets} lists and objects, the most that is taken here")
    if len(text) > at_once:
        with _collections_paused():
            return _decode_in_pieces(text, at_once)
    try:
        return _decode(text)
    except orjson.JSONDecodeError as error:
        raise NotStrictJson(_reason(error, text, _bytes_before(error))) from None


def decode_body(body: bytes) -> Any:
    """The value of the body of a request; it may begin with a byte order mark.

    Raises:
        NotStrictJson, TooManyBrackets: as `decode`.
    """
    try:
        return decode(body.removeprefix(BOM))
    except NotStrictJson as error:
        raise NotStrictJson(f"The body is not valid JSON: {error}.") from None


def memory_of(body: bytes) -> int:
    """About how many bytes of memory decoding takes beside the body: most of it for objects, lists and their values."""
    return A_CONTAINER * count_brackets(body) + A_VALUE * count_byte(body, b",")


@contextmanager
def _collections_paused() -> Iterator[None]:
    """Disables garbage collection, unless another thread has: each collection would traverse all lists and objects so far, and
    none of them is garbage."""
    if not _PAUSE.acquire(blocking=False):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _PAUSE.release()


def _decode_in_pieces(text: bytes, at_once: int) -> Any:
    value: Any = None
    try:
        for piece in pieces(text, DEEPEST, at_once):
            try:
                part = _decode(piece.text)
            except orjson.JSONDecodeError as error:
                before = piece.start + max(0, _bytes_before(error) - piece.lead)
                raise NotStrictJson(_reason(error, text, before)) from None
            if not piece.open:
                value = part
            elif not join(value, part, piece.open):
                raise NotStrictJson(TWICE)
    except JSONDecodeError as error:
        raise NotStrictJson(_reason(error, text, error.pos)) from None
    return value


def _decode(text: bytes) -> Any:
    """The value of a document that is short enough to be decoded at once.

    Raises:
        orjson.JSONDecodeError: it is no JSON.
        NotStrictJson: it is too deep, or an object has a name twice.
    """
    value = orjson.loads(text)
    colons = count_byte(text, b":")
    if type(value) is dict and len(value) == colons and len(text) <= 2 * DEEPEST:  # a record on its line
        return value
    brackets = count_brackets(text)
    # With one colon there is one member at most, and depth is at most the number of brackets: enough for most bodies.
    if colons <= 1 and brackets <= DEEPEST:
        return value
    # Outside of strings every colon stands for one member, so a lost one shows in the count. Where all colons together
    # are as many as the members, none is in a string.
    members = _members(value, brackets)
    if colons != members and _colons(text) != members:
        raise NotStrictJson(TWICE)
    return value


def _bytes_before(error: orjson.JSONDecodeError) -> int:
    return len(error.doc[: error.pos].encode())


def _reason(error: ValueError, text: bytes, before: int) -> str:
    """What is wrong after so many bytes, and where, in our own words."""
    if not text.strip():
        return "it is empty"
    if "depth" in str(error):
        return f"it is nested deeper than {DEEPEST}"
    try:
        document = text.decode()
    except UnicodeDecodeError as wrong:
        return f"the byte at position {wrong.start + 1} is no text in UTF-8"
    at = len(text[:before].decode(errors="ignore"))
    line = f"line {document.count(chr(10), 0, at) + 1}, " if "\n" in document.strip() else ""
    found, rest = document[at : at + 1], document[at : at + 9]
    if not document[at:].strip():
        return "it ends before it is complete"
    where = f"{line}column {at - document.rfind(chr(10), 0, at)}"
    if re.match(r"-?(?:NaN|Infinity)", rest):
        return f"{where}: NaN and Infinity are no JSON; null stands for a missing value"
    if re.match(r"[-0-9]", rest):
        return f"{where}: this is no number of JSON, or one beyond what a float64 can hold"
    if found == ",":
        return f"{where}: nothing follows this comma, or nothing precedes it"
    if found < " ":
        return f"{where}: a control character in a text; JSON escapes it as \\u{ord(found):04x}"
    if "surrogate" in str(error):
        return f"{where}: the text has half a pair of surrogates, which is no character"
    return f"{where}: {found!r} is not what JSON has here (names and texts in double quotes, commas between values)"


def count_brackets(body: bytes) -> int:
    """How many lists and objects begin in a body of JSON, or more: those in texts count, too."""
    return count_byte(body, b"[") + count_byte(body, b"{")


def count_byte(body: bytes, byte: bytes) -> int:
    """How often a byte occurs in a body: if it is frequent NumPy counts faster."""
    return body.count(byte) if len(body) < LARGE else int(np.count_nonzero(np.frombuffer(body, np.uint8) == byte[0]))


def _colons(body: bytes) -> int:
    """How many are outside of strings in valid JSON."""
    if len(body) <= SPLIT_AT_ONCE and b"\\" not in body:  # each quote begins or ends a string
        return b"".join(body.split(b'"')[::2]).count(b":")
    count, at = 0, 0
    while (portion := _PORTION.match(body, at)) is not None:  # one at a time, for each copies what is left of it
        count += _STRING.sub(b"", portion[0]).count(b":")
        at = portion.end()
    return count


def _members(value: Any, brackets: int) -> int:
    """The number of members of all objects in a value, whose text has this number of opening brackets."""
    count, depth, level = 0, 0, [value]
    while level:
        if depth == DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise NotStrictJson(f"it is nested deeper than {DEEPEST}")
        depth += 1
        kinds = set(map(type, level))
        objects = level if kinds == {dict} else [each for each in level if isinstance(each, dict)]
        lists = level if kinds == {list} else [each for each in level if isinstance(each, list)]
        count += sum(map(len, objects))
        brackets -= len(objects) + len(lists)
        if not brackets:  # every list and object was found: the values need not be inspected
            break
        level = [inner for each in objects for inner in each.values() if isinstance(inner, dict | list)]
        level += [inner for each in lists for inner in each if isinstance(inner, dict | list)]
    return count
