"""The routes of this API: the scope that each needs, and the thread pool that it runs in unless it is a coroutine."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.access.scopes import Scope
from service.api.dependencies import services_of
from service.api.json import json_response
from service.api.pools import REQUEST, Pool
from service.api.schemas.answer import Page

T = TypeVar("T")


class Need(NamedTuple):
    """What a request needs: a key with this scope (None: no key), and whether it has a line in the audit log."""

    scope: Scope | None
    audited: bool = True  # if its method may change something; of the scope `predict` it changes nothing


ADMIN = Need(Scope.ADMIN)  # of routes that do not say what they need


class PooledRoute(APIRoute):
    """A route of this API.

    A function that blocks runs in the pool `reading`, or in the one that the decorator `pool` names. What the function
    returns is encoded as JSON there, too, if it is no Response. Its annotated type is FastAPI's response model, which mypy
    checks: nothing is validated again for each answer.
    """

    need = ADMIN  # unless a subclass or the decorator `needs` sets another

    def __init__(self, path: str, endpoint: Callable[..., Any], **about: Any) -> None:
        super().__init__(path, _answering(endpoint, about.get("status_code") or 200), **about)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with the request in a context variable for the pools, which wait for its disconnection."""
        handle = super().get_route_handler()

        async def handle_in_context(request: Request) -> Response:
            REQUEST.set(request)
            return await handle(request)

        return handle_in_context


class TrainRoute(PooledRoute):
    """A route of a router all of whose routes need the scope `train`, unless they say otherwise."""

    need = Need(Scope.TRAIN)


class PredictRoute(PooledRoute):
    """The same for the scope `predict`."""

    need = Need(Scope.PREDICT)


def needs(scope: Scope | None, *, audited: bool = True) -> Callable[[T], T]:
    """Sets the scope that a request to the function's routes needs (None: no key), and whether the audit log has it."""
    return _marked("need", Need(scope, audited))


def pool(name: str) -> Callable[[T], T]:
    """Names the pool in which the function of a route runs."""
    return _marked("pool", name)


def need_of(route: APIRoute) -> Need:
    """What the decorator `needs` or the class of the route has set; without either the scope is `admin`."""
    need: Need = getattr(route.endpoint, "need", getattr(route, "need", ADMIN))
    return need


def _marked(name: str, value: object) -> Callable[[T], T]:
    def mark(endpoint: T) -> T:
        setattr(endpoint, name, value)
        return endpoint

    return mark


def _answering(endpoint: Callable[..., Any], status: int) -> Callable[..., Coroutine[Any, Any, Response]]:
    """The endpoint as a coroutine function that returns a Response."""
    pool_name = getattr(endpoint, "pool", "reading")

    def respond(*args: Any, **named: Any) -> Response:
        return _response(endpoint(*args, **named), status, named)

    @functools.wraps(endpoint)
    async def run(*args: Any, **named: Any) -> Response:
        if inspect.iscoroutinefunction(endpoint):
            return _response(await endpoint(*args, **named), status, named)
        pool: Pool = getattr((await services_of(REQUEST.get())).pools, pool_name)
        return await pool.run(respond, *args, **named)

    return run


def _response(value: Any, status: int, named: dict[str, Any]) -> Response:
    """The value as JSON, with the status and headers of the endpoint's parameter of type Response, if it has one."""
    if isinstance(value, Response):
        return value
    given = next((each for each in named.values() if isinstance(each, Response)), None)
    headers = None if given is None else dict(given.headers)
    if given is not None and given.status_code:
        status = given.status_code
    if status == HTTPStatus.NO_CONTENT:
        return Response(None, status, headers)
    if isinstance(value, Page):
        return Response(value.to_json(), status, headers, media_type="application/json")
    return json_response(value, status, headers)
