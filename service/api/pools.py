"""Thread pools for blocking work of requests: one for each kind of work, so that none waits for another kind, each with a
bounded queue. If it is full the request gets 429; if the client disconnects while it waits, the request is dropped.

| pool | its work |
|---|---|
| `reading` | milliseconds: the journal, the store's records, aliases, keys, the audit log |
| `files` | reading or writing whole models: bundles, parameters, state_dicts, loading |
| `planning` | checking, planning and submitting specs; decoding large JSON |
| `explaining` | explanations of predictions: some seconds of one core |
| `uploads` | data sets and bundles that were received: surveying, checking, publishing |

Pieces of bodies are written to the disk in threads of their own, `write`; each upload waits for its last piece, so their
queue needs no bound.

Predictions have threads of their own (`service/serving/bounded_threads.py`, `service/serving/micro_batches.py`).
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
from starlette.types import Receive

from service.api.errors import TooManyRequests
from service.use_cases.cancellation import CLIENT_LEFT, Cancelled

T = TypeVar("T")

REQUEST: ContextVar[Request] = ContextVar("request")  # set by the route that handles it


class Pool:
    """Threads for one kind of work of one event loop.

    Args:
        name: its name in messages.
        threads: how many threads it has.
        waiting: how many requests may wait for one.
        in_steps: whether its work is long and checks between its steps whether the client has disconnected.
    """

    def __init__(self, name: str, threads: int, waiting: int, *, in_steps: bool = False) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(threads, name)
        self._free = asyncio.Semaphore(threads)
        self._most = waiting
        self._in_steps = in_steps
        self.waiting = 0

    def check(self) -> None:
        """To be called before a body is read, which would have to wait.

        Raises:
            TooManyRequests: the queue is full.
        """
        if self.waiting >= self._most:
            raise TooManyRequests(f"{self.waiting} requests wait for {self._name} already; retry in a moment")

    async def run(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """Runs the work in a thread, in a copy of this context, and returns its result.

        Raises:
            TooManyRequests: the queue is full.
            ClientDisconnect: the client has disconnected before the work has started, or between two steps of it.
        """
        if self._free.locked():
            self.check()
            self.waiting += 1
            try:
                await _acquire_or_disconnect(self._free.acquire(), self._free.release)
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()  # at once
        context, client_left = copy_context(), threading.Event()
        context.run(CLIENT_LEFT.set, client_left)
        call = functools.partial(context.run, work, *args, **named)
        done = asyncio.get_running_loop().run_in_executor(self._executor, call)
        done.add_done_callback(self._ended)
        return await (_signal_disconnect(client_left, done) if self._in_steps else asyncio.shield(done))

    def _ended(self, done: asyncio.Future[Any]) -> None:
        self._free.release()
        if not done.cancelled():
            done.exception()  # asyncio logs one that nobody retrieves, as where the request's deadline has passed

    def close(self) -> None:
        """Drops the work that waits; work that has started continues."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Pools:
    """All pools of an application."""

    def __init__(self) -> None:
        self.reading = Pool("reading", threads=8, waiting=512)
        self.files = Pool("files", threads=4, waiting=64, in_steps=True)
        self.planning = Pool("planning", threads=2, waiting=64, in_steps=True)
        self.explaining = Pool("explaining", threads=2, waiting=32, in_steps=True)
        self.uploads = Pool("uploads", threads=4, waiting=32, in_steps=True)
        self.writing = ThreadPoolExecutor(4, "writing")

    async def write(self, work: Callable[[bytes], T], piece: bytes) -> T:
        """Writes a piece of a body in a thread, so that a slow disk delays no other request."""
        return await asyncio.get_running_loop().run_in_executor(self.writing, work, piece)

    def close(self) -> None:
        """Closes every pool."""
        for each in (self.reading, self.files, self.planning, self.explaining, self.uploads):
            each.close()
        self.writing.shutdown(wait=False)


async def cancel_on_disconnect(waiting: Coroutine[Any, Any, T]) -> T:
    """Awaits a coroutine, and cancels it if the client disconnects.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    done, left = asyncio.ensure_future(waiting), asyncio.ensure_future(until_disconnected(REQUEST.get().receive))
    try:
        await asyncio.wait({done, left}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise ClientDisconnect
        return done.result()
    finally:
        done.cancel()
        left.cancel()
        await asyncio.wait({done})  # its files may be removed once this returns


async def _acquire_or_disconnect(place: Coroutine[Any, Any, Any], give_back: Callable[[], None]) -> None:
    """Awaits `place`; raises ClientDisconnect if the client disconnects before."""
    got, left = asyncio.ensure_future(place), asyncio.ensure_future(until_disconnected(REQUEST.get().receive))
    try:
        await asyncio.wait({got, left}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        if not got.cancel():  # it was acquired already
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


async def _signal_disconnect(client_left: threading.Event, done: asyncio.Future[T]) -> T:
    """Awaits the work, and sets `client_left` when the client disconnects."""
    watch = asyncio.ensure_future(until_disconnected(REQUEST.get().receive))
    watch.add_done_callback(lambda each: None if each.cancelled() else client_left.set())
    try:
        return await asyncio.shield(done)
    except Cancelled:
        raise ClientDisconnect from None
    finally:
        watch.cancel()


async def until_disconnected(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)  # a body that is not read arrives without waiting, and must not block the loop
