"""Converts an operation, written once, to a blocking method of one client and a coroutine of the other."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from modelwright.drivers import Awaiting, Waiting
from modelwright.steps import Steps, Stream

P = ParamSpec("P")
T = TypeVar("T")


class operation(Generic[P, T]):  # noqa: N801 - used as a decorator
    """A method that returns its result on `Client`, and a coroutine of it on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Waiting, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        return _bound(client, self.steps, "result_of")


class stream(Generic[P, T]):  # noqa: N801 - used as a decorator
    """A method that returns an iterator on `Client`, and an asynchronous one on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Waiting, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        return _bound(client, self.steps, "items_of")


def _bound(client: Any, steps: Callable[..., Any], drive: str) -> Callable[..., Any]:
    if client is None:
        return steps

    @wraps(steps)
    def method(*args: Any, **kwargs: Any) -> Any:
        return getattr(client, drive)(steps(client, *args, **kwargs))

    return method
