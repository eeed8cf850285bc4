"""The addresses of resources, calls whose answer is JSON, and lists of several pages."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from modelwright.answers import parse
from modelwright.errors import UnexpectedAnswer, UnusableName
from modelwright.json_types import Json, is_list, is_object
from modelwright.steps import Call, Item, Steps, Stream

Version: TypeAlias = int | str
T = TypeVar("T")
_PAGE = 100


def path(*parts: Version) -> str:
    """The address of a resource. Raises UnusableName."""
    names = [str(part) for part in parts]
    if {"", ".", ".."} & set(names):
        raise UnusableName
    return "/v1/" + "/".join(quote(name, safe="") for name in names)


def job_path(job_id: str, *parts: str) -> str:
    """The address of a job, or of something that belongs to it."""
    return path("training-jobs", job_id, *parts)


def version_path(name: str, version: Version, *parts: str) -> str:
    """The address of a version of a model, or of something that belongs to it."""
    return path("models", name, "versions", version, *parts)


def json_of(call: Call) -> Steps[Json]:
    """The JSON object with which the call is answered."""
    response: httpx.Response = yield call
    return parse(response.content)


def pages(kind: Callable[[Json], T], path: str, key: str, query: Mapping[str, Any] | None = None) -> Stream[T]:
    """Every item of a list, page by page.

    Args:
        kind: what each item becomes.
        path: the address of the list.
        key: the field of an item after which the next page begins.
        query: which items.
    """
    query = {**(query or {}), "limit": _PAGE}
    while True:
        page = yield from json_of(Call("GET", path, query=query))
        entries = objects_in(page)
        for entry in entries:
            yield Item(kind(entry))
        if not page.get("has_more"):
            return
        if not entries or key not in entries[-1]:
            raise UnexpectedAnswer
        query["after"] = entries[-1][key]


def objects_in(page: Json) -> list[Json]:
    """The items of one page of a list. Raises UnexpectedAnswer."""
    entries: Any = page.get("data")
    if not is_list(entries) or not all(map(is_object, entries)):
        raise UnexpectedAnswer
    return entries


def as_it_is(item: Json) -> Json:
    """For lists whose items become objects with methods."""
    return item
