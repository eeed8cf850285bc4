"""A limit on the memory that the bodies of all requests take together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from service.serving.errors import Overloaded

FREE = 64 * 2**10  # bytes of a request that are not counted: one read of a socket is in memory anyway


class MemoryBudget:
    """A number of bytes, `most`, that the requests of a process share. Thread-safe.

    A request that needs more than the whole budget is accepted while no other request has taken any, so that none is always
    refused.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._lock = threading.Lock()

    def share(self) -> "Share":
        """The share of a new request, empty at first."""
        return Share(self)

    def change(self, before: int, after: int) -> None:
        """Changes the share of one request from `before` to `after` bytes.

        Raises:
            Overloaded: the budget is used up.
        """
        with self._lock:
            others = self.taken - before
            if after > before and others and others + after > self.most:
                raise Overloaded("The memory for request bodies is used up; retry in a moment.")
            self.taken = others + after


class Share:
    """The bytes that one request takes of the budget; a context manager that releases them."""

    __slots__ = ("_budget", "_counted", "_wanted")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._wanted = self._counted = 0

    def take(self, more: int) -> None:
        """Takes `more` bytes.

        Raises:
            Overloaded: the budget is used up.
        """
        wanted = self._wanted + more
        if wanted > FREE:
            self._budget.change(self._counted, wanted)
            self._counted = wanted
        self._wanted = wanted

    def release(self) -> None:
        """Releases all bytes."""
        if self._counted:
            self._budget.change(self._counted, 0)
        self._wanted = self._counted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


_counted: ContextVar[Share | None] = ContextVar("_counted", default=None)


@contextmanager
def counted(share: Share | None) -> Iterator[None]:
    """Has `take` count for this share, in this thread. None counts nothing."""
    before = _counted.set(share)
    try:
        yield
    finally:
        _counted.reset(before)


def take(size: int) -> None:
    """Takes bytes for the request that this thread decodes.

    Raises:
        Overloaded: the budget is used up.
    """
    share = _counted.get()
    if share is not None:
        share.take(size)
