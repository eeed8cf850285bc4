"""JSON from outside, decoded once and strictly; JSON to outside."""

import re
from typing import Any

import orjson
from fastapi import Response

from service.api.errors import InvalidJson

DEEPEST = 100
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def decode_json(body: bytes) -> Any:
    """The value of a JSON document in UTF-8.

    orjson refuses NaN, Infinity, numbers beyond a double, a byte order mark, lone surrogates and bad UTF-8. The check
    for names that stand twice in one object, which it would silently drop, is ours.

    Raises:
        InvalidJson: it is none, it is too deep, or an object has a name twice.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None
    # One colon makes one member, and as many brackets no deeper nest: most bodies need no closer look.
    if body.count(b":") <= 1 and body.count(b"[") + body.count(b"{") <= DEEPEST:
        return value
    # Outside of strings every colon stands for one member, so a lost one shows in the count.
    if _STRING.sub(b"", body).count(b":") != _members(value):
        raise InvalidJson("The body is not valid JSON: an object has the same name twice.")
    return value


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The value as JSON: NumPy arrays in their full precision, NaN and infinities as null."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type="application/json")


def _members(value: Any) -> int:
    """How many members all objects in a value have together."""
    count, left = 0, [(value, 1)]
    while left:
        each, depth = left.pop()
        if depth > DEEPEST:
            raise InvalidJson(f"The body is not valid JSON for this service: it is nested deeper than {DEEPEST}.")
        if isinstance(each, dict):
            count += len(each)
            left.extend((inner, depth + 1) for inner in each.values() if isinstance(inner, dict | list))
        elif isinstance(each, list):
            left.extend((inner, depth + 1) for inner in each if isinstance(inner, dict | list))
    return count
