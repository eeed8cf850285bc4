"""What the schemas of answers have in common. They are typed dictionaries, which mypy checks where they are made. Imports neither
torch nor FastAPI."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, with_config

T = TypeVar("T")
MOST_BYTES = 4 * 2**20  # of a page
closed = with_config(ConfigDict(extra="forbid"))  # OpenAPI: additionalProperties false


class Page(BaseModel, Generic[T]):
    """One page of a list; `?after=` with the last item's id gives the next."""

    model_config = ConfigDict(extra="forbid")

    data: Iterable[T]  # may be lazy: items past the end of the page are not made
    has_more: bool

    def to_json(self) -> bytes:
        """The page as JSON: of MOST_BYTES, or of one item, at most. Items are encoded one by one, which lets other threads
        run in between."""
        items, size, has_more = list[bytes](), 0, self.has_more
        for each in self.data:
            item = orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
            size += len(item) + 1
            if items and size > MOST_BYTES:
                has_more = True
                break
            items.append(item)
        fields: dict[str, Any] = dict(self)
        return orjson.dumps(fields | {"data": orjson.Fragment(b"[%b]" % b",".join(items)), "has_more": has_more})


def page(items: Iterable[T], has_more: bool) -> Page[T]:
    """A page of these items."""
    return Page.model_construct(data=items, has_more=has_more)
