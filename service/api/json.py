"""JSON from outside, decoded once and strictly; JSON to outside."""

import re
from typing import Any

import numpy as np
import orjson
from fastapi import Response

from service.api.errors import InvalidJson, TooLarge

DEEPEST = 100
BOM = b"\xef\xbb\xbf"
# Brackets that open, a million rows and some more: each list or object takes many times its two bytes in memory. Those in
# strings count, too: to leave them out first would take as much.
MOST_BRACKETS = 1_100_000
A_CONTAINER, A_VALUE = 200, 32  # bytes that an object or list, and a number or text in it, take in memory
LARGE = 4096  # bytes
SPLIT_AT_ONCE = 2**20  # bytes: each quote makes a part that takes some thirty in memory
# Possessive: they remember nothing on their way.
_STRING = re.compile(rb'"(?>[^"\\]+|\\.)*+"', re.DOTALL)
_PORTION = re.compile(rb'(?>[^"]+|"(?>[^"\\]+|\\.)*+"){1,20000}+', re.DOTALL)


def decode_json(body: bytes) -> Any:
    """The value of a JSON document in UTF-8, which may begin with a byte order mark.

    orjson refuses NaN, Infinity, numbers beyond a double, lone surrogates and bad UTF-8. The check for names that stand
    twice in one object, which it would silently drop, is ours.

    Raises:
        InvalidJson: it is none, it is too deep, or an object has a name twice.
        TooLarge: it has too many lists and objects.
    """
    body = body.removeprefix(BOM)
    brackets = count_brackets(body)
    if brackets > MOST_BRACKETS:
        raise TooLarge(f"the JSON has more than {MOST_BRACKETS} lists and objects, the most that is taken here")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None
    colons = _count(body, b":")
    # One colon makes one member, and as many brackets no deeper nest: most bodies need no closer look.
    if colons <= 1 and brackets <= DEEPEST:
        return value
    # Outside of strings every colon stands for one member, so a lost one shows in the count. Where all colons together
    # are as many as the members, none is in a string.
    members = _members(value, brackets)
    if colons != members and _colons(body) != members:
        raise InvalidJson("The body is not valid JSON: an object has the same name twice.")
    return value


def json_weight(body: bytes) -> int:
    """About how many bytes of memory decoding takes, beside the body: most of it for objects, lists and their values."""
    return A_CONTAINER * count_brackets(body) + A_VALUE * _count(body, b",")


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The value as JSON: NumPy arrays in their full precision, NaN and infinities as null."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type="application/json")


def count_brackets(body: bytes) -> int:
    """How many lists and objects begin in a body of JSON, or more: those in texts count, too."""
    return _count(body, b"[") + _count(body, b"{")


def _count(body: bytes, byte: bytes) -> int:
    """How often a byte stands in a body: where it stands often NumPy counts faster."""
    return body.count(byte) if len(body) < LARGE else int(np.count_nonzero(np.frombuffer(body, np.uint8) == byte[0]))


def _colons(body: bytes) -> int:
    """How many stand outside of strings in valid JSON."""
    if len(body) <= SPLIT_AT_ONCE and b"\\" not in body:  # each quote begins or ends a string
        return b"".join(body.split(b'"')[::2]).count(b":")
    count, at = 0, 0
    while (portion := _PORTION.match(body, at)) is not None:  # one at a time, for each copies what is left of it
        count += _STRING.sub(b"", portion[0]).count(b":")
        at = portion.end()
    return count


def _members(value: Any, brackets: int) -> int:
    """How many members all objects in a value have together; its text has so many brackets that open."""
    count, depth, level = 0, 0, [value]
    while level:
        if depth == DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise InvalidJson(f"The body is not valid JSON for this service: it is nested deeper than {DEEPEST}.")
        depth += 1
        kinds = set(map(type, level))
        objects = level if kinds == {dict} else [each for each in level if isinstance(each, dict)]
        lists = level if kinds == {list} else [each for each in level if isinstance(each, list)]
        count += sum(map(len, objects))
        brackets -= len(objects) + len(lists)
        if not brackets:  # none is left for another list or object: the values need no look
            break
        level = [inner for each in objects for inner in each.values() if isinstance(inner, dict | list)]
        level += [inner for each in lists for inner in each if isinstance(inner, dict | list)]
    return count
