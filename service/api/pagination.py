"""Lists, in pages: `{"data": […], "has_more": bool}`, `?after=&limit=`."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Query, Response

from service.api.json import json_response

Limit = Annotated[int, Query(ge=1, le=1000, description="how many items at most")]
After = Annotated[str | None, Query(max_length=256, description="the last item's id of the page before")]
T = TypeVar("T")

MOST_BYTES = 4 * 2**20  # of a page


def page(data: Sequence[Any], has_more: bool) -> dict[str, Any]:
    """One page of a list."""
    return {"data": list(data), "has_more": has_more}


def page_response(documents: Iterable[Any], more: bool, **beside: Any) -> Response:
    """One page of a list, of MOST_BYTES of JSON or one item at most: documents after that are not made."""
    written, size = list[bytes](), 0
    for each in documents:
        text = orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
        size += len(text) + 1
        if written and size > MOST_BYTES:
            more = True
            break
        written.append(text)
    data = orjson.Fragment(b"[%b]" % b",".join(written))
    return json_response({"data": data, "has_more": more} | beside)


def newest_first(numbers: Sequence[int], after: int | None, limit: int) -> tuple[Sequence[int], bool]:
    """The page of rising version numbers, turned round, that follows `after`, and whether there are more."""
    return cut([number for number in reversed(numbers) if after is None or number < after], limit)


def cut(items: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The first so many items, and whether there are more."""
    return items[:limit], len(items) > limit
