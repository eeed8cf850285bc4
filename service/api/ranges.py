"""Parts of a representation (RFC 9110, section 14) and its ETag (section 13)."""

import re

from starlette.datastructures import Headers

from service.api.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
_MOST_DIGITS = 18
_ENDLESS = 1_000_000_000_000_000_000


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether the value of `If-None-Match` has this ETag, so that the answer is 304."""
    given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return if_none_match.strip() == "*" or etag in given


def range_of(headers: Headers, size: int, etag: str) -> tuple[int, int] | None:
    """The part that `Range` asks for, from its first byte to before the second number; None for the whole.

    A range that is malformed, one of several, or of another ETag than `If-Range` has is ignored, as the RFC allows: then the
    answer is the whole.

    Raises:
        RangeNotSatisfiable: it begins after the end.
    """
    given = _RANGE.fullmatch(headers.get("range", "").strip())
    if given is None or headers.get("if-range", etag).strip() != etag:
        return None
    first, last = map(_number, given.groups())
    if first is None:
        if last is None:
            return None
        first, last = max(0, size - last), size - 1  # the last bytes
    elif last is None:
        last = size - 1
    elif last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    return first, min(last + 1, size)


def _number(digits: str) -> int | None:
    """None for no digits. Python refuses to parse thousands of them."""
    if len(digits.lstrip("0")) > _MOST_DIGITS:
        return _ENDLESS
    return int(digits[-_MOST_DIGITS:]) if digits else None
