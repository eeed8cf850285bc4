"""An operation to which faults are applied, and the conditions that must hold afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def nothing(home: Path) -> None:
    """An empty home."""


@dataclass(frozen=True)
class Kind:
    """What operations on the same data have in common.

    Args:
        state: everything readable in the home, without what differs by run (times, random ids). Homes with the same state
            cannot be distinguished.
        faults: the faults of a home that is not in use: by its own check, when opened, and leftover files.
        refusals: the errors that callers handle.
    """

    state: Callable[[Path], Any]
    faults: Callable[[Path], list[str]]
    refusals: tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Operation:
    """An operation that changes a home.

    Args:
        act: a generator. Before its `yield` it sets up (files to publish, open stores); the rest is the operation, and its end
            the acknowledgement.
        prepare: creates the home.
        steps: whether it may also stop between two complete changes: then a kill may leave intermediate states, and repeating
            it must lead to the final state.
        repeats: whether repeating it after its end changes nothing.
    """

    name: str
    kind: Kind
    act: Callable[[Path], Iterator[None]]
    prepare: Callable[[Path], None] = nothing
    steps: bool = False
    repeats: bool = True
    ended: tuple[type[BaseException], ...] = field(default=())  # what repeating it after its end may raise
