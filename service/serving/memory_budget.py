"""How much memory the bodies of all requests may take together."""

import threading
from types import TracebackType
from typing import Self

from service.serving.errors import Overloaded

FREE = 64 * 2**10  # bytes of one request that are not counted: what a socket brings at once is in memory anyway


class MemoryBudget:
    """Bytes for all requests of a process together. Any thread may take of them.

    A request that would need more than there is in all is let in while nobody else has any: so there is none that is always
    refused.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._lock = threading.Lock()

    def share(self) -> "Share":
        """What one request takes of it: nothing yet."""
        return Share(self)

    def change(self, before: int, after: int) -> None:
        """One request has `after` bytes now instead of `before`.

        Raises:
            Overloaded: there are not so many left.
        """
        with self._lock:
            others = self.taken - before
            if after > before and others and others + after > self.most:
                raise Overloaded("The requests that are being read take all the memory there is for them; ask again.")
            self.taken = others + after


class Share:
    """What one request takes of the budget; a context manager that gives it back."""

    __slots__ = ("_budget", "_counted", "_wanted")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._wanted = self._counted = 0

    def take(self, more: int) -> None:
        """So many bytes more.

        Raises:
            Overloaded: there are not so many left.
        """
        wanted = self._wanted + more
        if wanted > FREE:
            self._budget.change(self._counted, wanted)
            self._counted = wanted
        self._wanted = wanted

    def release(self) -> None:
        """All of it is free again."""
        if self._counted:
            self._budget.change(self._counted, 0)
        self._wanted = self._counted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
