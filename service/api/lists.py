"""Lists, in pages: `{"data": […], "has_more": bool}`, `?after=&limit=`."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="how many items at most")]
After = Annotated[str | None, Query(max_length=256, description="the last item's id of the page before")]
T = TypeVar("T")


def page(data: Sequence[Any], has_more: bool) -> dict[str, Any]:
    """One page of a list."""
    return {"data": list(data), "has_more": has_more}


def newest_first(numbers: Sequence[int], after: int | None, limit: int) -> tuple[Sequence[int], bool]:
    """The page of rising version numbers, turned round, that follows `after`, and whether there are more."""
    return cut([number for number in reversed(numbers) if after is None or number < after], limit)


def cut(items: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The first so many items, and whether there are more."""
    return items[:limit], len(items) > limit
