"""Threads for the part of predictions that may block: a cold model, the store, a large body."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.serving.errors import ClientGone, DeadlineExceeded, Overloaded

THREADS = 4
T = TypeVar("T")

Disconnected = Callable[[], Awaitable[None]]  # returns when the client has closed its connection


async def wait_for(future: asyncio.Future[T], deadline: float | None, disconnected: Disconnected | None) -> T:
    """The result of the future, which is cancelled if the deadline passes or the client goes first.

    Raises:
        DeadlineExceeded, ClientGone: it has.
    """
    left = None if deadline is None else deadline - time.perf_counter()
    gone = None if disconnected is None else asyncio.ensure_future(disconnected())
    try:
        either: list[asyncio.Future[Any]] = [future] if gone is None else [future, gone]
        await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        raise DeadlineExceeded if gone is None or not gone.done() else ClientGone
    finally:
        if gone is not None:
            gone.cancel()
        if not future.done():
            future.cancel()


class BoundedThreads:
    """A few threads, and the limit on the requests that use them or wait for them. The event loop calls its methods."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self._executor = ThreadPoolExecutor(THREADS, "prediction")

    def close(self) -> None:
        """Starts no more work."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Starts work in a thread, as one of the requests that are let in.

        Raises:
            Overloaded: there are too many.
        """
        self._let_in()
        done = self.execute(work)
        done.add_done_callback(lambda _: self._leave())
        return done

    def execute(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Starts work of a request that has been let in."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    @contextlib.contextmanager
    def let_in(self) -> Iterator[None]:
        """One request uses the threads for a while.

        Raises:
            Overloaded: there are too many.
        """
        self._let_in()
        try:
            yield
        finally:
            self._leave()

    def _let_in(self) -> None:
        if self._waiting >= self._most:
            raise Overloaded
        self._waiting += 1

    def _leave(self) -> None:
        self._waiting -= 1
