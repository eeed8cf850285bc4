"""A bounded thread pool for the blocking parts of predictions: loading models, the store, large bodies."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.serving.errors import ClientGone, DeadlineExceeded, Overloaded

THREADS = 4
T = TypeVar("T")

Disconnected = Callable[[], Awaitable[None]]  # returns when the client has disconnected


async def wait_for(future: asyncio.Future[T], deadline: float | None, disconnected: Disconnected | None) -> T:
    """Waits for a future, and cancels it if the deadline passes or the client disconnects first.

    Args:
        future: gives the result.
        deadline: in seconds of `time.perf_counter`; None for none.
        disconnected: returns when the client has disconnected; None to ignore that.

    Raises:
        DeadlineExceeded, ClientGone: the future was cancelled.
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
    """A few threads, with a limit on the requests that use or await them. Its methods must be called in the event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self._executor = ThreadPoolExecutor(THREADS, "prediction")

    def close(self) -> None:
        """Starts no more work."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Runs the work of one request in a thread.

        Raises:
            Overloaded: the limit on requests is reached.
        """
        self._enter()
        done = self.execute(work)
        done.add_done_callback(lambda _: self._leave())
        return done

    def execute(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Runs work in a thread, for a request that is counted already."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    @contextlib.contextmanager
    def count_request(self) -> Iterator[None]:
        """Counts one request while it uses the threads.

        Raises:
            Overloaded: the limit on requests is reached.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        if self._waiting >= self._most:
            raise Overloaded
        self._waiting += 1

    def _leave(self) -> None:
        self._waiting -= 1
