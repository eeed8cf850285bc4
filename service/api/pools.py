"""The threads that requests block in: a pool for each kind of work, so that none waits for another kind, and in front of
each a queue with a bound. Whoever comes when it is full gets 429; whoever leaves while he waits is forgotten.

| pool | what runs in it |
|---|---|
| `reading` | what takes milliseconds: the journal, the store's records, aliases, keys, the audit log |
| `files` | what reads or writes whole models: bundles to fetch, parameters, state_dicts, loading |
| `planning` | specs: checked, planned, submitted; large JSON decoded |
| `uploads` | data sets and bundles once they are on the disk: surveyed, checked, kept |

Pieces of bodies on their way to the disk go there in threads of their own, `write`: each upload waits for its last piece,
which is bound enough.

Predictions have threads of their own (`service/api/predictions/endpoint.py`, `service/serving/batches.py`).
"""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.api.errors import TooManyRequests
from service.api.predictions.bodies import gone
from service.use_cases.cancellation import CLIENT_LEFT, Cancelled

T = TypeVar("T")

REQUEST: ContextVar[Request] = ContextVar("request")  # set by the route that handles it


class Pool:
    """Threads for one kind of work of one event loop.

    Args:
        name: what it is for.
        threads: how many.
        waiting: requests that may wait for one.
        in_steps: whether its work is long, and ends at its next step once the client has left.
    """

    def __init__(self, name: str, threads: int, waiting: int, *, in_steps: bool = False) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(threads, name)
        self._free = asyncio.Semaphore(threads)
        self._most = waiting
        self._in_steps = in_steps
        self.waiting = 0

    def check(self) -> None:
        """Before a body is read that would have to wait.

        Raises:
            TooManyRequests: as many wait as may.
        """
        if self.waiting >= self._most:
            raise TooManyRequests(f"{self.waiting} requests wait for {self._name} already; ask again in a moment")

    async def run(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """What the work gives, in a thread and in this context. Once begun it goes on until `check_cancelled`.

        Raises:
            TooManyRequests: as many wait as may.
            ClientDisconnect: the client has left before it began, or between two steps of it.
        """
        if self._free.locked():
            self.check()
            self.waiting += 1
            try:
                await _before_client_leaves(self._free.acquire(), self._free.release)
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()  # at once
        context, client_left = copy_context(), threading.Event()
        context.run(CLIENT_LEFT.set, client_left)
        call = functools.partial(context.run, work, *args, **named)
        done = asyncio.get_running_loop().run_in_executor(self._executor, call)
        done.add_done_callback(lambda _: self._free.release())
        return await (_telling(client_left, done) if self._in_steps else asyncio.shield(done))

    def close(self) -> None:
        """What has begun goes on; nothing else begins."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Pools:
    """All pools of an application."""

    def __init__(self) -> None:
        self.reading = Pool("reading", threads=8, waiting=512)
        self.files = Pool("files", threads=4, waiting=64, in_steps=True)
        self.planning = Pool("planning", threads=2, waiting=64, in_steps=True)
        self.uploads = Pool("uploads", threads=4, waiting=32, in_steps=True)
        self.writing = ThreadPoolExecutor(4, "writing")

    async def write(self, work: Callable[[bytes], T], piece: bytes) -> T:
        """Writes a piece of a body in a thread, so that a slow disk delays no other request."""
        return await asyncio.get_running_loop().run_in_executor(self.writing, work, piece)

    def close(self) -> None:
        """Closes every pool."""
        for each in (self.reading, self.files, self.planning, self.uploads):
            each.close()
        self.writing.shutdown(wait=False)


async def while_client_waits(waiting: Coroutine[Any, Any, T]) -> T:
    """What comes of it, unless the client leaves before.

    Raises:
        ClientDisconnect: it has left.
    """
    done, left = asyncio.ensure_future(waiting), asyncio.ensure_future(gone(REQUEST.get().receive))
    try:
        await asyncio.wait({done, left}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise ClientDisconnect
        return done.result()
    finally:
        done.cancel()
        left.cancel()
        await asyncio.wait({done})  # what it works on may be gone once this returns


async def _before_client_leaves(place: Coroutine[Any, Any, Any], give_back: Callable[[], None]) -> None:
    """A place, unless the client leaves while he waits for it."""
    got, left = asyncio.ensure_future(place), asyncio.ensure_future(gone(REQUEST.get().receive))
    try:
        await asyncio.wait({got, left}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        if not got.cancel():  # it was there already
            give_back()
        raise
    finally:
        left.cancel()
    if not got.done():
        got.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await got
            give_back()
        raise ClientDisconnect


async def _telling(client_left: threading.Event, done: asyncio.Future[T]) -> T:
    """What comes of the work, which is told when its client leaves."""
    watch = asyncio.ensure_future(gone(REQUEST.get().receive))
    watch.add_done_callback(lambda each: None if each.cancelled() else client_left.set())
    try:
        return await asyncio.shield(done)
    except Cancelled:
        raise ClientDisconnect from None
    finally:
        watch.cancel()
