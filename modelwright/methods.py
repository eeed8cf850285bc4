"""Converts an operation, written once, to a blocking method of one client and a coroutine of the other."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from modelwright.drivers import Awaiting, Waiting
from modelwright.json_types import Json
from modelwright.retries import with_retries
from modelwright.steps import Item, Steps, Stream

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")  # what `Client` returns
A = TypeVar("A")  # what `AsyncClient` returns
Make = Callable[[Any], Any]


class OfClient:
    """What a `Client` has returned: its methods call the service by that client, and block."""

    client: Waiting


class OfAsyncClient:
    """What an `AsyncClient` has returned: its methods call the service by that client, and are awaited."""

    client: Awaiting


Blocking: TypeAlias = Waiting | OfClient
Awaited: TypeAlias = Awaiting | OfAsyncClient
Kinds: TypeAlias = Callable[[], tuple[type[S], type[A]]]  # called late: the classes may be defined below


class operation(Generic[P, T]):  # noqa: N801 - used as a decorator
    """A method that returns its result on `Client`, and a coroutine of it on `AsyncClient`; the same on what they return."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, owner: Blocking, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Awaited, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        return _bound(owner, self.steps, "result_of", None)


class stream(Generic[P, T]):  # noqa: N801 - used as a decorator
    """A method that returns an iterator on `Client`, and an asynchronous one on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, owner: Blocking, kind: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, owner: Awaited, kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        return _bound(owner, self.steps, "items_of", None)


class returns(Generic[S, A]):  # noqa: N801 - used as a decorator
    """Makes the JSON of an operation an object with methods of its own: of the first class on `Client`, of the second on
    `AsyncClient`."""

    def __init__(self, kinds: Kinds[S, A]) -> None:
        self.kinds = kinds

    def __call__(self, steps: Callable[Concatenate[Any, P], Steps[Json]]) -> "object_operation[P, S, A]":
        return object_operation(steps, self.kinds)


class yields(Generic[S, A]):  # noqa: N801 - used as a decorator
    """Makes each item of a stream an object with methods of its own, as `returns` does."""

    def __init__(self, kinds: Kinds[S, A]) -> None:
        self.kinds = kinds

    def __call__(self, steps: Callable[Concatenate[Any, P], Stream[Json]]) -> "object_stream[P, S, A]":
        return object_stream(steps, self.kinds)


class object_operation(Generic[P, S, A]):  # noqa: N801 - see `returns`
    """An operation that returns an object with methods of its own."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[Json]], kinds: Kinds[S, A]) -> None:
        self.steps, self.kinds = steps, kinds
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, owner: Blocking, kind: type) -> Callable[P, S]: ...
    @overload
    def __get__(self, owner: Awaited, kind: type) -> Callable[P, Coroutine[Any, Any, A]]: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        return _bound(owner, self.steps, "result_of", self.kinds)


class object_stream(Generic[P, S, A]):  # noqa: N801 - see `yields`
    """A stream of objects with methods of their own."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Stream[Json]], kinds: Kinds[S, A]) -> None:
        self.steps, self.kinds = steps, kinds
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, owner: Blocking, kind: type) -> Callable[P, Iterator[S]]: ...
    @overload
    def __get__(self, owner: Awaited, kind: type) -> Callable[P, AsyncIterator[A]]: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        return _bound(owner, self.steps, "items_of", self.kinds)


def _bound(owner: Any, steps: Callable[..., Any], drive: str, kinds: Kinds[Any, Any] | None) -> Callable[..., Any]:
    if owner is None:
        return steps
    client: Any = owner if isinstance(owner, Waiting | Awaiting) else owner.client

    @wraps(steps)
    def method(*args: Any, **kwargs: Any) -> Any:
        done = steps(owner, *args, **kwargs)
        if kinds is not None:
            done = _converted(done, _maker(client, kinds))
        return getattr(client, drive)(with_retries(done, client.retries))

    return method


def _maker(client: Any, kinds: Kinds[Any, Any]) -> Make:
    kind: Any = kinds()[isinstance(client, Awaiting)]
    return lambda value: value if value is None or isinstance(value, kind) else kind(client, value)


def _converted(steps: Generator[Any, Any, Any], make: Make) -> Generator[Any, Any, Any]:
    """The same steps, with what they give to the caller converted."""
    answer: Any = None
    fault: Exception | None = None
    try:
        while True:
            step = steps.throw(fault) if fault else steps.send(answer)
            answer, fault = None, None
            try:
                answer = yield (_item(step, make) if type(step) is Item else step)
            except Exception as error:  # the steps decide what it means
                fault = error
    except StopIteration as end:
        return make(end.value)
    finally:
        steps.close()


def _item(step: Any, make: Make) -> Item[Any]:
    return Item(make(step.value))
