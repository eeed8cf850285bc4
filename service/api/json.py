"""Strict decoding of JSON bodies, and JSON responses."""

from typing import Any

import orjson
from fastapi import Response

from service.api.errors import InvalidJson, TooLarge
from service.strict_json import BOM, NotStrictJson, TooManyBrackets, count_brackets, count_byte, decode

A_CONTAINER, A_VALUE = 200, 32  # bytes of memory of an object or list, and of a number or text in it


def decode_json(body: bytes) -> Any:
    """The value of a body, which may begin with a byte order mark.

    Raises:
        InvalidJson: it is not valid, too deep, or has an object with a name twice.
        TooLarge: it has too many lists and objects.
    """
    try:
        return decode(body.removeprefix(BOM))
    except TooManyBrackets as error:
        raise TooLarge(str(error)) from None
    except NotStrictJson as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None


def json_weight(body: bytes) -> int:
    """An estimate of the bytes of memory that the decoded body takes, most of them for objects, lists and their values."""
    return A_CONTAINER * count_brackets(body) + A_VALUE * count_byte(body, b",")


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The value as JSON: NumPy arrays with full precision, NaN and infinities as null."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type="application/json")
