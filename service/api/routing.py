"""The routes of this API: each runs in a thread pool unless it is a coroutine."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.api.dependencies import services_of
from service.api.pools import REQUEST

T = TypeVar("T")


class PooledRoute(APIRoute):
    """A route whose function, if it blocks, runs in the pool `reading`, or in the one that the decorator `pool` names."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **about: Any) -> None:
        super().__init__(path, endpoint if inspect.iscoroutinefunction(endpoint) else _pooled(endpoint), **about)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with the request in a context variable for the pools, which wait for its disconnection."""
        handle = super().get_route_handler()

        async def handle_in_context(request: Request) -> Response:
            REQUEST.set(request)
            return await handle(request)

        return handle_in_context


def pool(name: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Names the pool in which the function of a route runs."""

    def named(endpoint: Callable[..., T]) -> Callable[..., T]:
        endpoint.pool = name  # type: ignore[attr-defined]
        return endpoint

    return named


def _pooled(endpoint: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    name = getattr(endpoint, "pool", "reading")

    @functools.wraps(endpoint)
    async def run(*args: Any, **named: Any) -> T:
        services = await services_of(REQUEST.get())
        return await getattr(services.pools, name).run(endpoint, *args, **named)  # type: ignore[no-any-return]

    return run
