"""The parameters of lists in pages, `?after=&limit=`, and how a page is cut out of a list."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="the maximum number of items")]
After = Annotated[str | None, Query(max_length=256, description="the id of the last item of the previous page")]
T = TypeVar("T")


def cut(items: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The first `limit` items, and whether there are more."""
    return items[:limit], len(items) > limit
