"""The steps that an operation yields to its driver, which executes them."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Tail:
    """The end of a file, from that byte on, as a request's body; `sent` is called with the number of bytes of each piece."""

    path: Path
    start: int
    sent: Callable[[int], object]


@dataclass(frozen=True)
class Call:
    """A request; the body of a `live` answer is left to be read piece by piece. `repeatable` says whether it may be sent again
    after 429 and 503; None leaves that to its method and its Idempotency-Key."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Any = None
    content: bytes | Path | Tail | None = None
    timeout: float | None = None
    live: bool = False
    repeatable: bool | None = None


@dataclass(frozen=True)
class Read:
    """The next piece of the live answer; empty at its end."""


@dataclass(frozen=True)
class Pause:
    """A pause."""

    seconds: float


@dataclass(frozen=True)
class By:
    """Steps that another client of the same kind executes; the answer is their result."""

    client: Any
    steps: Generator["Step", Any, Any]


@dataclass(frozen=True)
class Item(Generic[T]):
    """A value for the caller, before the operation has ended."""

    value: T


Step: TypeAlias = Call | Read | Pause | By
Steps: TypeAlias = Generator[Step, Any, T]
Stream: TypeAlias = Generator[Step | Item[T], Any, None]
