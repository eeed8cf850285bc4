"""Micro-batches: requests that wait already share one forward. Nobody waits in order that others may come."""

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch

from service.serving.answers import Array, forward
from service.serving.errors import DeadlineExceeded, Overloaded, PredictionFailed
from service.serving.stages import Seen
from service.serving.warm_models import Served, Warm
from service.workflow.errors import WorkflowError

MOST_ROWS = 1024  # of several requests in one forward; one request may bring more
FULL = 512  # rows from which on a light request waits for none to share with
MUCH = 250_000_000  # work of a request that takes a whole place in the queue: some 5 ms of one core
LEAST_PLACE = 1 / 8  # that a small one takes

Writer = Callable[[Served, Warm, Array, Sequence[int]], list[bytes]]
Measure = Callable[[Served, str, float, int], None]  # a stage, its seconds, how many requests had it
Result = bytes | Exception
log = logging.getLogger(__name__)


class Waiter(Protocol):
    """Who waits for an answer: an `asyncio.Future`, or whoever behaves like one."""

    def done(self) -> bool:
        """Whether nobody waits any more."""

    def set_result(self, result: bytes) -> None:
        """The answer."""

    def set_exception(self, exception: Exception) -> None:
        """Why there is none."""


class Ask:
    """What one request wants to know. Its rows are a raw tensor, or plain lists of numbers, which become one together
    with those of others."""

    __slots__ = (
        "alone",
        "apart",
        "count",
        "deadline",
        "raw",
        "rows",
        "seen",
        "served",
        "since",
        "waiter",
        "warm",
        "work",
        "write",
    )

    def __init__(
        self,
        served: Served,
        warm: Warm,
        given: torch.Tensor | list[Any],
        write: Writer,
        waiter: Waiter,
        *,
        deadline: float | None = None,
        alone: bool = False,
        apart: bool = False,
        seen: Seen | None = None,
    ) -> None:
        self.served = served
        self.warm = warm
        self.raw: torch.Tensor | None = given if isinstance(given, torch.Tensor) else None
        self.rows: list[Any] | None = None if isinstance(given, torch.Tensor) else given
        self.count = len(given)
        self.work = warm.work * self.count
        self.apart = apart
        self.write = write
        self.waiter: Waiter = waiter
        self.deadline = deadline
        self.alone = alone
        self.since = time.perf_counter()
        self.seen = seen

    @property
    def place(self) -> float:
        """What it takes of the queue: by its work, so that nobody who is let in waits for long."""
        return min(1.0, max(LEAST_PLACE, self.work / MUCH))


class Batches:
    """Runs what is asked: light work in the event loop, heavy work in `threads` threads, before which there are so many
    `places` for those who wait.

    Light is what takes at most `light` work: that of a row (`Warm.work`) times rows. Only the event loop calls this.
    """

    def __init__(self, *, light: int, threads: int, places: int, measure: Measure) -> None:
        self._light = light
        self._free = threads
        self._places = places
        self._taken = 0.0
        self._measure = measure
        self._pool = ThreadPoolExecutor(threads, "forward")
        self._gathered: dict[Served, list[Ask]] = {}
        self._heavy: OrderedDict[Served, list[Ask]] = OrderedDict()
        # A batch is nobody's alone: what is logged in it must not bear the id of the request that happened to call for it.
        self._context = contextvars.Context()
        self.waiting = 0
        self._called = False

    def submit(self, ask: Ask) -> None:
        """Its waiter will be told. Raises Overloaded."""
        if self.is_light(ask) and ask.count >= FULL:
            self._answer(self._begin([ask]))  # at once, while its rows are still in the processor's caches
            return
        if self.is_light(ask):
            self._gathered.setdefault(ask.served, []).append(ask)
        elif self._taken + ask.place > self._places:
            raise Overloaded
        else:
            self._heavy.setdefault(ask.served, []).append(ask)
            self._count(1, ask.place)
        if not self._called:
            # After the requests that the same turn of the loop has read: they are in the queue before this is called.
            self._called = True
            asyncio.get_running_loop().call_soon(self._turn, context=self._context)

    def is_light(self, ask: Ask) -> bool:
        """Whether the answer comes with the next turn of the loop."""
        return ask.work <= self._light and not ask.apart

    def has_room(self, warm: Warm, rows: int) -> bool:
        """Whether a request of so many rows would be taken; to be asked before its rows are read."""
        work = warm.work * rows
        return work <= self._light or self._taken + min(1.0, work / MUCH) <= self._places

    def withdraw(self, ask: Ask) -> None:
        """Nobody waits for it any more: it leaves its place in the queue."""
        waiting = self._heavy.get(ask.served, [])
        with contextlib.suppress(ValueError):
            waiting.remove(ask)
            self._count(-1, -ask.place)
        if not waiting:
            self._heavy.pop(ask.served, None)

    def _count(self, requests: int, places: float) -> None:
        self.waiting += requests
        self._taken = self._taken + places if self.waiting else 0.0  # nothing is left of what was rounded

    def close(self) -> None:
        """Takes no more; what runs comes to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        """One light batch, so that the loop gets to its other work in between, and a heavy one for each free thread."""
        self._called = False
        if self._gathered:
            served = next(iter(self._gathered))
            waiting = self._gathered[served]
            asks = _take(waiting, self._light)
            if not waiting:
                del self._gathered[served]
            self._answer(self._begin(asks))
        while self._heavy and self._free:
            served, waiting = self._heavy.popitem(last=False)
            asks = _take(waiting, MUCH)
            self._count(-len(asks), -sum(ask.place for ask in asks))
            if waiting:
                self._heavy[served] = waiting  # behind the other models
            if self._begin(asks):
                self._free -= 1
                loop = asyncio.get_running_loop()
                done = self._pool.submit(compute, asks, self._measure)
                done.add_done_callback(partial(_tell, loop, self._heavy_end, asks))
        if self._gathered and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._turn, context=self._context)

    def _begin(self, asks: list[Ask]) -> list[Ask]:
        """Leaves those away that nobody waits for, or not any longer."""
        now = time.perf_counter()
        for ask in list(asks):
            if ask.deadline is not None and now > ask.deadline and not ask.waiter.done():
                ask.waiter.set_exception(DeadlineExceeded())
            if ask.waiter.done():
                asks.remove(ask)
            else:
                self._measure(ask.served, "queue", now - ask.since, 1)
                if ask.seen is not None:
                    ask.seen("queue", now - ask.since)
        return asks

    def _answer(self, asks: list[Ask]) -> None:
        """A light batch. Who waits is told first, and then what was measured."""
        figures: list[tuple[Served, str, float, int]] = []
        self._end(asks, compute(asks, lambda *figure: figures.append(figure)))
        for figure in figures:
            self._measure(*figure)

    def _end(self, asks: Sequence[Ask], results: Sequence[Result]) -> None:
        now = time.perf_counter()
        for ask, result in zip(asks, results, strict=True):
            if ask.waiter.done():
                continue
            if ask.deadline is not None and now > ask.deadline:
                ask.waiter.set_exception(DeadlineExceeded())
            elif isinstance(result, bytes):
                ask.waiter.set_result(result)
            else:
                ask.waiter.set_exception(result)

    def _heavy_end(self, asks: list[Ask], done: Future[list[Result]]) -> None:
        self._free += 1
        self._end(asks, done.result())
        self._turn()


def _tell(
    loop: asyncio.AbstractEventLoop,
    ended: Callable[[list[Ask], Future[list[Result]]], None],
    asks: list[Ask],
    done: Future[list[Result]],
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who waited
        loop.call_soon_threadsafe(ended, asks, done)


def _take(waiting: list[Ask], most_work: int) -> list[Ask]:
    """The asks of the next batch, taken out of those that wait: the first one, and what may go with it."""
    first = waiting[0]
    taken, rows, work = 1, first.count, first.work
    while taken < len(waiting) and not first.alone and not waiting[taken].alone:
        rows, work = rows + waiting[taken].count, work + waiting[taken].work
        if rows > MOST_ROWS or work > most_work:
            break
        taken += 1
    asks = waiting[:taken]
    del waiting[:taken]
    return asks


def compute(asks: Sequence[Ask], measure: Measure) -> list[Result]:
    """The answers to asks of one version: by one forward, or one by one when that fails, so that none suffers for
    another. Runs in any thread."""
    if not asks:
        return []
    try:
        return list(_together(asks, measure))
    except WorkflowError as error:
        if len(asks) == 1:
            return [error]
    except Exception as error:
        if len(asks) == 1:
            log.exception("a prediction of %s, version %d, failed", asks[0].served.name, asks[0].served.number)
            failed = PredictionFailed()
            failed.__cause__ = error
            return [failed]
    return [result for ask in asks for result in compute([ask], measure)]


def _together(asks: Sequence[Ask], measure: Measure) -> list[bytes]:
    first, counts = asks[0], [ask.count for ask in asks]
    began = time.perf_counter()
    answers = _answers(asks)
    computed = time.perf_counter()
    if len({ask.write for ask in asks}) == 1:
        bodies = first.write(first.served, first.warm, answers, counts)
    else:
        bodies, start = [], 0
        for ask in asks:
            bodies += ask.write(ask.served, ask.warm, answers[start : start + ask.count], [ask.count])
            start += ask.count
    rendered = time.perf_counter()
    measure(first.served, "forward", computed - began, len(asks))
    measure(first.served, "render", rendered - computed, len(asks))
    for ask in asks:
        if ask.seen is not None:
            ask.seen("forward", computed - began)
            ask.seen("render", rendered - computed)
    measure(first.served, "batch", len(answers), 1)
    return bodies


def _answers(asks: Sequence[Ask]) -> Array:
    """The answers to the rows of all, in order; those that are plain lists become a tensor at once."""
    warm = asks[0].warm
    if len(asks) == 1:
        wanted = partial(_is_wanted, asks[0])
        return (
            forward(warm, asks[0].raw, wanted=wanted)
            if asks[0].raw is not None
            else forward(warm, _tensor(warm, asks[0].rows), whole=True, wanted=wanted)
        )
    if all(ask.rows is not None for ask in asks):
        return forward(warm, _tensor(warm, [row for ask in asks for row in ask.rows or ()]), whole=True)
    return forward(warm, torch.cat([_tensor(warm, ask.rows) if ask.raw is None else ask.raw for ask in asks]))


def _is_wanted(ask: Ask) -> bool:
    return not ask.waiter.done()


def _tensor(warm: Warm, rows: list[list[float]] | None) -> torch.Tensor:
    return torch.from_numpy(np.array(rows, dtype=warm.raw_dtype))
