"""The routes of this API: the scope that each needs, and the thread pool that it runs in unless it is a coroutine."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.access.scopes import Scope
from service.api.dependencies import services_of
from service.api.pools import REQUEST

T = TypeVar("T")


class Need(NamedTuple):
    """What a request needs: a key with this scope (None: no key), and whether it has a line in the audit log."""

    scope: Scope | None
    audited: bool = True  # if its method may change something; of the scope `predict` it changes nothing


ADMIN = Need(Scope.ADMIN)  # of routes that do not say what they need


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


def needs(scope: Scope | None, *, audited: bool = True) -> Callable[[T], T]:
    """Sets the scope that a request to the function's routes needs (None: no key), and whether the audit log has it."""
    return _marked("need", Need(scope, audited))


def pool(name: str) -> Callable[[T], T]:
    """Names the pool in which the function of a route runs."""
    return _marked("pool", name)


def need_of(route: APIRoute) -> Need:
    """What the decorator `needs` has set; without it the scope is `admin`."""
    need: Need = getattr(route.endpoint, "need", ADMIN)
    return need


def _marked(name: str, value: object) -> Callable[[T], T]:
    def mark(endpoint: T) -> T:
        setattr(endpoint, name, value)
        return endpoint

    return mark


def _pooled(endpoint: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    name = getattr(endpoint, "pool", "reading")

    @functools.wraps(endpoint)
    async def run(*args: Any, **named: Any) -> T:
        services = await services_of(REQUEST.get())
        return await getattr(services.pools, name).run(endpoint, *args, **named)  # type: ignore[no-any-return]

    return run
