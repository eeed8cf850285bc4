"""JSON from outside, decoded once and strictly; JSON to outside."""

import re
from typing import Any

import orjson
from fastapi import Response

from service.api.errors import InvalidJson, TooLarge

DEEPEST = 100
# Brackets that open, a million rows and some more: each list or object takes many times its two bytes in memory. Those in
# strings count, too: to leave them out first would take as much.
MOST_BRACKETS = 1_100_000
# Possessive: they remember nothing on their way.
_STRING = re.compile(rb'"(?>[^"\\]+|\\.)*+"', re.DOTALL)
_PORTION = re.compile(rb'(?>[^"]+|"(?>[^"\\]+|\\.)*+"){1,20000}+', re.DOTALL)


def decode_json(body: bytes) -> Any:
    """The value of a JSON document in UTF-8.

    orjson refuses NaN, Infinity, numbers beyond a double, a byte order mark, lone surrogates and bad UTF-8. The check
    for names that stand twice in one object, which it would silently drop, is ours.

    Raises:
        InvalidJson: it is none, it is too deep, or an object has a name twice.
        TooLarge: it has too many lists and objects.
    """
    if len(body) > MOST_BRACKETS and _brackets(body) > MOST_BRACKETS:
        raise TooLarge(f"the JSON has more than {MOST_BRACKETS} lists and objects, the most that is taken here")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None
    # One colon makes one member, and as many brackets no deeper nest: most bodies need no closer look.
    if body.count(b":") <= 1 and _brackets(body) <= DEEPEST:
        return value
    # Outside of strings every colon stands for one member, so a lost one shows in the count.
    if _colons(body) != _members(value):
        raise InvalidJson("The body is not valid JSON: an object has the same name twice.")
    return value


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The value as JSON: NumPy arrays in their full precision, NaN and infinities as null."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type="application/json")


def _brackets(body: bytes) -> int:
    return body.count(b"[") + body.count(b"{")


def _colons(body: bytes) -> int:
    """How many stand outside of strings in valid JSON."""
    count, at = 0, 0
    while (portion := _PORTION.match(body, at)) is not None:  # one at a time, for each copies what is left of it
        count += _STRING.sub(b"", portion[0]).count(b":")
        at = portion.end()
    return count


def _members(value: Any) -> int:
    """How many members all objects in a value have together."""
    count, depth, level = 0, 0, [value]
    while level:
        if depth == DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise InvalidJson(f"The body is not valid JSON for this service: it is nested deeper than {DEEPEST}.")
        depth += 1
        objects = [each for each in level if isinstance(each, dict)]
        lists = [each for each in level if isinstance(each, list)]
        count += sum(map(len, objects))
        level = [inner for each in objects for inner in each.values() if isinstance(inner, dict | list)]
        level += [inner for each in lists for inner in each if isinstance(inner, dict | list)]
    return count
