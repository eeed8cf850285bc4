"""A use of either client, as one call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import httpx

from modelwright import AsyncClient, Client
from tests.client.conftest import Service
from tests.harness.server import Server

Run: TypeAlias = Callable[..., Any]


def waiting(service: Service | Server, use: Callable[[Any], Any], **settings: Any) -> Any:
    """Uses the synchronous client: what is returned, or a list of what is yielded."""
    with Client(service.url, transport=httpx.HTTPTransport(), **{"api_key": "secret", **settings}) as client:
        result = use(client)
        return list(result) if isinstance(result, Iterator) else result


def awaiting(service: Service | Server, use: Callable[[Any], Any], **settings: Any) -> Any:
    """The same by the asynchronous client. `use` may be a coroutine function."""

    async def run() -> Any:
        transport = httpx.AsyncHTTPTransport()
        async with AsyncClient(service.url, transport=transport, **{"api_key": "secret", **settings}) as client:
            result: Awaitable[Any] | AsyncIterator[Any] = use(client)
            if isinstance(result, AsyncIterator):
                return [item async for item in result]
            return await result

    return asyncio.run(run())
