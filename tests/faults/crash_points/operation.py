"""What is done at each point of an operation, and what must hold afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def nothing(home: Path) -> None:
    """A home in which there is nothing yet."""


@dataclass(frozen=True)
class Kind:
    """What operations on the same thing have in common.

    Args:
        state: all that can be asked of the home, without what differs from run to run (times, random ids). The same for two
            homes means that nobody can tell them apart.
        faults: what is wrong in a home that nobody works in any more: its own check, a clean opening, leftovers.
        refusals: the errors that callers are prepared for.
    """

    state: Callable[[Path], Any]
    faults: Callable[[Path], list[str]]
    refusals: tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Operation:
    """Something that changes a home.

    Args:
        act: a generator. What it does before its `yield` is there already (files to publish, what is open); the rest is the
            operation, and its end the acknowledgement.
        prepare: makes the home before it.
        steps: whether it may also stop between two whole changes: then every state that a kill may leave is one that it leads
            on from, and only doing it again must lead to its end.
        repeats: whether doing it again after its end changes nothing.
    """

    name: str
    kind: Kind
    act: Callable[[Path], Iterator[None]]
    prepare: Callable[[Path], None] = nothing
    steps: bool = False
    repeats: bool = True
    ended: tuple[type[BaseException], ...] = field(default=())  # what doing it again after its end may raise
