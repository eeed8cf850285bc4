"""Micro-batches: pending requests share one forward. No request waits for others to arrive."""

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from service.serving.codecs.codec import Rows, split
from service.serving.errors import DeadlineExceeded, Overloaded, PredictionFailed
from service.serving.forward import Array, forward
from service.serving.pending_prediction import FULL_PLACE_WORK, PendingPrediction, Waiter
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.errors import WorkflowError
from service.workflow.input_tensors import Tensors, cat

MOST_BATCH_ROWS = 1024  # of several requests in one forward; one request may have more
ALONE_ROWS = 512  # rows from which on a light request is computed alone

Observe = Callable[[ServedVersion, str, float, int], None]  # a stage, its seconds, and how many requests had it
Count = Callable[[ServedVersion, Warm, Tensors, Array], None]  # the raw features of a forward, and its answers
Result = bytes | Exception
T = TypeVar("T")
log = logging.getLogger(__name__)


def uncounted(version: ServedVersion, warm: Warm, raw: Tensors, answers: Array) -> None:
    """Counts no rows."""


class MicroBatches:
    """Computes predictions: light ones in the event loop, heavy ones in threads. Its methods must be called in the event loop.

    Args:
        light: the most work of a light prediction, which is `Warm.work` times its rows.
        threads: of heavy predictions.
        places: in the queue of heavy predictions.
        observe: is given the seconds of each stage.
        count: is given the rows of each forward and their answers.
    """

    def __init__(self, *, light: int, threads: int, places: int, observe: Observe, count: Count = uncounted) -> None:
        self._light = light
        self._free = threads
        self._places = places
        self._taken = 0.0
        self._observe = observe
        self._count_rows = count
        self._pool = ThreadPoolExecutor(threads, "forward")
        self._light_queue: dict[ServedVersion, list[PendingPrediction]] = {}
        self._heavy_queue: OrderedDict[ServedVersion, list[PendingPrediction]] = OrderedDict()
        # Empty, without variables such as a request's id: a batch belongs to several requests.
        self._context = contextvars.Context()
        self.waiting = 0
        self._scheduled = False

    def submit(self, pending: PendingPrediction) -> None:
        """Queues a prediction; its waiter receives the answer or the error.

        Raises:
            Overloaded: the queue is full.
        """
        if pending.work <= self._light and not pending.in_thread:
            if pending.count >= ALONE_ROWS:
                self._answer(self._begin([pending]))  # while its rows are still in the processor's caches
                return
            self._light_queue.setdefault(pending.version, []).append(pending)
        elif self._taken + pending.place > self._places:
            raise Overloaded
        else:
            self._heavy_queue.setdefault(pending.version, []).append(pending)
            self._count(1, pending.place)
        if not self._scheduled:
            # After all requests that this iteration of the loop has read are in the queue.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run_next, context=self._context)

    def is_light(self, warm: Warm, rows: int) -> bool:
        """Whether this number of rows is computed in the event loop."""
        return warm.work * rows <= self._light

    def has_room(self, warm: Warm, rows: int) -> bool:
        """Whether a request with this number of rows would be accepted now."""
        work = warm.work * rows
        return work <= self._light or self._taken + min(1.0, work / FULL_PLACE_WORK) <= self._places

    def has_free_thread(self) -> bool:
        """Whether `run_alone` would start at once, before no other."""
        return self._free > 0 and not self._heavy_queue

    def run_alone(self, work: Callable[[], Result], waiter: Waiter, deadline: float | None) -> None:
        """Runs all the work of one prediction in a free thread.

        Args:
            work: gives the body of the answer, or its error, which it may raise.
            waiter: receives either; before that a `DeadlineExceeded` if the deadline passes.
            deadline: in seconds of `time.perf_counter`; None for none.
        """
        self._free -= 1
        loop, late = asyncio.get_running_loop(), None
        if deadline is not None:
            left = deadline - time.perf_counter()
            late = loop.call_later(max(0.0, left), _settle, waiter, DeadlineExceeded(), context=self._context)
        done = self._pool.submit(work)
        # The thread is free then, not when the answer is no longer awaited.
        done.add_done_callback(partial(_schedule_end, loop, partial(self._alone_end, waiter, late)))

    def _alone_end(self, waiter: Waiter, late: asyncio.TimerHandle | None, done: Future[Result]) -> None:
        self._free += 1
        if late is not None:
            late.cancel()
        try:
            result = done.result()
        except Exception as error:
            result = error
        _settle(waiter, result)
        self._run_next()

    def withdraw(self, pending: PendingPrediction) -> None:
        """Removes a prediction that is no longer needed from the queue."""
        waiting = self._heavy_queue.get(pending.version, [])
        with contextlib.suppress(ValueError):
            waiting.remove(pending)
            self._count(-1, -pending.place)
        if not waiting:
            self._heavy_queue.pop(pending.version, None)

    def _count(self, requests: int, places: float) -> None:
        self.waiting += requests
        self._taken = self._taken + places if self.waiting else 0.0  # resets rounding errors

    def close(self) -> None:
        """Cancels the batches that have not started."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run_next(self) -> None:
        """Computes one light batch, after which the loop does other work, and starts a heavy one in each free thread."""
        self._scheduled = False
        if self._light_queue:
            served = next(iter(self._light_queue))
            waiting = self._light_queue[served]
            batch = _take(waiting, self._light)
            if not waiting:
                del self._light_queue[served]
            self._answer(self._begin(batch))
        while self._heavy_queue and self._free:
            served, waiting = self._heavy_queue.popitem(last=False)
            batch = _take(waiting, FULL_PLACE_WORK)
            self._count(-len(batch), -sum(pending.place for pending in batch))
            if waiting:
                self._heavy_queue[served] = waiting  # behind the other models
            if self._begin(batch):
                self._free -= 1
                loop = asyncio.get_running_loop()
                done = self._pool.submit(compute, batch, self._observe, self._count_rows)
                done.add_done_callback(partial(_schedule_end, loop, partial(self._heavy_end, batch)))
        if self._light_queue and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run_next, context=self._context)

    def _begin(self, batch: list[PendingPrediction]) -> list[PendingPrediction]:
        """Removes the predictions that are no longer needed, or past their deadline."""
        now = time.perf_counter()
        for pending in list(batch):
            if pending.deadline is not None and now > pending.deadline and not pending.waiter.done():
                pending.waiter.set_exception(DeadlineExceeded())
            if pending.waiter.done():
                batch.remove(pending)
            else:
                self._observe(pending.version, "queue", now - pending.since, 1)
                if pending.observer is not None:
                    pending.observer("queue", now - pending.since)
        return batch

    def _answer(self, batch: list[PendingPrediction]) -> None:
        """Computes a light batch. The answers are sent before the times are recorded."""
        figures: list[tuple[ServedVersion, str, float, int]] = []
        self._end(batch, compute(batch, lambda *figure: figures.append(figure), self._count_rows))
        for figure in figures:
            self._observe(*figure)

    def _end(self, batch: Sequence[PendingPrediction], results: Sequence[Result]) -> None:
        now = time.perf_counter()
        for pending, result in zip(batch, results, strict=True):
            late = pending.deadline is not None and now > pending.deadline
            _settle(pending.waiter, DeadlineExceeded() if late else result)

    def _heavy_end(self, batch: list[PendingPrediction], done: Future[list[Result]]) -> None:
        self._free += 1
        self._end(batch, done.result())
        self._run_next()


def _settle(waiter: Waiter, result: Result) -> None:
    """Gives the result to a waiter that still waits."""
    if waiter.done():
        return
    if isinstance(result, bytes):
        waiter.set_result(result)
    else:
        waiter.set_exception(result)


def _schedule_end(loop: asyncio.AbstractEventLoop, ended: Callable[[Future[T]], None], done: Future[T]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(ended, done)


def _take(waiting: list[PendingPrediction], most_work: int) -> list[PendingPrediction]:
    """Removes the next batch from the queue: the first prediction, and those that may share its forward."""
    first = waiting[0]
    taken, rows, work = 1, first.count, first.work
    while taken < len(waiting) and first.mergeable and waiting[taken].mergeable:
        rows, work = rows + waiting[taken].count, work + waiting[taken].work
        if rows > MOST_BATCH_ROWS or work > most_work:
            break
        taken += 1
    batch = waiting[:taken]
    del waiting[:taken]
    return batch


def compute(batch: Sequence[PendingPrediction], observe: Observe, count: Count = uncounted) -> list[Result]:
    """Computes a batch of one version by one forward, or one by one if that fails, so that no request fails for another.
    Thread-safe.

    Returns:
        The body of each answer, or its error.
    """
    if not batch:
        return []
    try:
        return list(_together(batch, observe, count))
    except WorkflowError as error:
        if len(batch) == 1:
            return [error]
    except Exception as error:
        if len(batch) == 1:
            log.exception("a prediction of %s, version %d, failed", batch[0].version.name, batch[0].version.number)
            failed = PredictionFailed()
            failed.__cause__ = error
            return [failed]
    return [result for pending in batch for result in compute([pending], observe, count)]


def _together(batch: Sequence[PendingPrediction], observe: Observe, count: Count) -> list[bytes]:
    first, counts = batch[0], [pending.count for pending in batch]
    began = time.perf_counter()
    raw, answers = _answers(batch)
    computed = time.perf_counter()
    if len({pending.encoder.write for pending in batch}) == 1:
        bodies = first.encoder.write(first.version, first.warm, answers, counts)
    else:
        bodies = [
            pending.encoder.write(pending.version, pending.warm, part, [pending.count])[0]
            for pending, part in zip(batch, split(answers, counts), strict=True)
        ]
    rendered = time.perf_counter()
    observe(first.version, "forward", computed - began, len(batch))
    observe(first.version, "render", rendered - computed, len(batch))
    start = 0
    for pending in batch:
        if pending.observer is not None:
            pending.observer("forward", computed - began)
            pending.observer("render", rendered - computed)
        if pending.record is not None:
            part = answers[start : start + pending.count]
            pending.record.add(pending.version, pending.warm.signature, pending.rows, part)
        start += pending.count
    observe(first.version, "batch", len(answers), 1)
    count(first.version, first.warm, raw, answers)
    return bodies


def _answers(batch: Sequence[PendingPrediction]) -> tuple[Tensors, Array]:
    """The raw features of all rows, and their answers, in their order."""
    first, warm = batch[0], batch[0].warm
    if len(batch) == 1:
        complete = isinstance(first.rows, list)
        raw = _tensor(warm, first.rows)
        return raw, forward(warm, raw, complete=complete, wanted=lambda: not first.waiter.done())
    lists = [pending.rows for pending in batch if isinstance(pending.rows, list)]
    if len(lists) == len(batch):
        raw = _tensor(warm, [row for rows in lists for row in rows])
        return raw, forward(warm, raw, complete=True)
    raw = cat([_tensor(warm, pending.rows) for pending in batch])
    return raw, forward(warm, raw)


def _tensor(warm: Warm, rows: Rows) -> Tensors:
    return torch.from_numpy(np.array(rows, dtype=warm.raw_dtype)) if isinstance(rows, list) else rows
