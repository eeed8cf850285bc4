"""Calls of the service for which the client has no method of its own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from modelwright import Client
    from modelwright.steps import Call

Json = dict[str, Any]
PAGE = 1000


def get(client: "Client", *parts: str | int, **query: Any) -> Json:
    """The JSON object at `/v1/…`."""
    from modelwright.calls import json_of, path
    from modelwright.steps import Call

    found: Json = client.result_of(json_of(Call("GET", path(*parts), query=query)))
    return found


def pages(client: "Client", *parts: str | int, key: str, **query: Any) -> Iterator[Json]:
    """Every item of the list at `/v1/…`, whose pages go on after the `key` of the last item."""
    query = {"limit": PAGE, **query}
    while True:
        page = get(client, *parts, **query)
        yield from page["data"]
        if not page["has_more"]:
            return
        query["after"] = page["data"][-1][key]


def answer(client: "Client", call: "Call") -> "httpx.Response":
    """The response to a call; it has been read, and its status is one of success."""
    from modelwright.steps import Steps

    def steps() -> "Steps[httpx.Response]":
        response: httpx.Response = yield call
        return response

    answered: httpx.Response = client.result_of(steps())
    return answered
