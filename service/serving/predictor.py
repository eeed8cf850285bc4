"""A prediction, step by step: resolve the version, load its model, decode the rows, compute them in a batch, encode them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from service.model_reference import ModelReference
from service.serving.bounded_threads import BoundedThreads, wait_for
from service.serving.codecs.codec import Decoder, Encoder, Rows
from service.serving.errors import AnswerTooLarge, DeadlineExceeded, Overloaded
from service.serving.forward import Array, forward
from service.serving.memory_budget import counted
from service.serving.micro_batches import Count, MicroBatches, Observe, Result, compute, uncounted
from service.serving.pending_prediction import PendingPrediction, Waiter
from service.serving.prediction import PredictionRequest, PredictionResult
from service.serving.served_version import ServedVersion
from service.serving.stream import Stream
from service.serving.warm_models import Warm, WarmModels
from service.workflow.encode import unknown_categories
from service.workflow.input_tensors import Tensors, rows_in

STORE_PATIENCE = 1.0  # seconds for the store to resolve a reference before its last known version is used
MOST_ANSWER_BYTES = 128 * 2**20  # as JSON, about
T = TypeVar("T")


class Resolver(Protocol):
    """Finds the version that a reference means."""

    def known(self, model: ModelReference) -> ServedVersion | None:
        """The version if it is known and fresh. Does not block."""

    def last_known(self, model: ModelReference) -> ServedVersion | None:
        """The version that the last look-up found. Does not block."""

    def look_up(self, model: ModelReference) -> ServedVersion:
        """The version in the store. May block, and raise."""


class Predictor:
    """Computes predictions, independently of HTTP and the store. Its methods must be called in the event loop.

    Args:
        resolver: resolves references to versions.
        load: loads the model of a version; called in a thread.
        models: the models in memory.
        batches: computes the forwards.
        observe: is given the seconds of each stage.
        most_waiting: the limit on requests that use or await a thread: to load a model, read the store, or decode a large body.
        count: is given the rows of each forward and their answers.
    """

    def __init__(
        self,
        resolver: Resolver,
        load: Callable[[ServedVersion], Warm],
        models: WarmModels,
        batches: MicroBatches,
        observe: Observe,
        most_waiting: int,
        count: Count = uncounted,
    ) -> None:
        self._resolver = resolver
        self._load = load
        self._models = models
        self._batches = batches
        self._observe = observe
        self._count_rows = count
        self._threads = BoundedThreads(most_waiting)
        self._look_ups: dict[ModelReference, tuple[float, asyncio.Future[ServedVersion]]] = {}

    def close(self) -> None:
        """Cancels the work that has not started, and starts no more."""
        self._threads.close()
        self._batches.close()

    def start(self, request: PredictionRequest, make_waiter: Callable[[PredictionResult], Waiter]) -> bool:
        """Starts a prediction if its model is in memory, its body small and its work light; or if a free thread can do all of it.

        Args:
            request: only its `version` is changed.
            make_waiter: makes, from the result without its body, what gets the body: in this or the next iteration of the event
                loop, or when the thread has ended.

        Returns:
            Whether it was started; a request that was not is for `predict`.

        Raises:
            The errors of `predict`.
        """
        began = time.perf_counter()
        request.version = version = self._resolver.known(request.model)
        warm = None if version is None else self._models.known(version.digest)
        if version is None or warm is None:
            return False
        decoder, body = request.decoder, request.body
        self._check_room(warm, decoder, body)
        read = decoder.in_event_loop(warm, body)
        if read is None:
            return self._start_alone(request, warm, make_waiter, began)
        decoded = decoder.decode(body)
        encoder = request.encoder(decoded)
        rows = read(warm, decoded)
        if rows is None or not self._batches.is_light(warm, rows_in(rows)) or encoder.imports:
            return False
        _check_answer(warm, rows_in(rows), encoder)
        result = PredictionResult(version, encoder, _unknown_categories(warm, rows))
        self._submit(request, warm, rows, encoder, make_waiter(result), began)
        return True

    async def predict(self, request: PredictionRequest) -> PredictionResult:
        """Computes a prediction.

        Raises:
            NotStrictJson, TooManyBrackets, WorkflowError: the body is invalid.
            StoreError: the version does not exist, or cannot be read.
            ServingError: one of `service/serving/errors.py`.
        """
        began = time.perf_counter()
        known = request.version or self._resolver.known(request.model)
        warm = None if known is None else self._models.known(known.digest)
        if warm is not None:
            request.version = known
            self._check_room(warm, request.decoder, request.body)
        encoder, warm, decoded, quick = await self._decode(request)
        if not quick and self._batches.has_free_thread() and request.decoder.is_small(warm, decoded):
            return await self._predict_alone(
                request, warm, PredictionResult(_version(request), encoder, 0), decoded, began
            )
        read = partial(_read, request, warm, decoded)
        rows = request.decoder.read(warm, decoded) if quick else await self._run(request, read)
        _take(request, 2 * _check_answer(warm, rows_in(rows), encoder))
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        result = PredictionResult(_version(request), encoder, _unknown_categories(warm, rows))
        pending = self._submit(request, warm, rows, encoder, waiter, began)
        try:
            light = self._batches.is_light(warm, rows_in(rows)) and not pending.in_thread
            result.body = await (waiter if light else self._wait_for(request, waiter))
        finally:
            self._batches.withdraw(pending)
        return result

    async def stream(self, request: PredictionRequest) -> AsyncGenerator[bytes]:
        """Computes predictions for a stream of JSON Lines, as JSON Lines. One batch is in memory at a time.

        Raises:
            The errors of `predict`; one in a later batch is raised after the predictions for the rows before it.
        """
        warm = await self._warm(request)

        async def answers(raw: Tensors) -> Array:
            if request.deadline is not None and time.perf_counter() > request.deadline:
                raise DeadlineExceeded
            made = await self._threads.execute(lambda: forward(warm, raw))
            self._count_rows(_version(request), warm, raw, made)
            if request.record is not None:
                assert request.version is not None  # noqa: S101 - the model that is warm is of it
                request.record.add(request.version, warm.signature, raw, made)
                request.record.end()
            return made

        assert request.chunks is not None  # noqa: S101 - a request without them is not a stream
        with self._threads.count_request():
            async for lines in Stream(warm, warm.model.fills_missing, answers).answers(request.chunks):
                yield lines

    async def resolve(self, request: PredictionRequest) -> ServedVersion:
        """Resolves the version of a request: in memory, or else in the store, by one look-up for all requests that wait for the
        same reference.

        Raises:
            StoreError: the version does not exist, or the store cannot be read and no version is known.
            ServingError: one of `service/serving/errors.py`.
        """
        model = request.model
        if (known := self._resolver.known(model)) is not None:
            return known
        last, now = self._resolver.last_known(model), time.perf_counter()
        if model not in self._look_ups:
            look_up = self._threads.run(lambda: self._resolver.look_up(model))
            self._look_ups[model] = now, look_up
            look_up.add_done_callback(lambda _: self._end_look_up(model))
        began, look_up = self._look_ups[model]
        if last is None:
            return await self._wait_for(request, asyncio.shield(look_up))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(look_up), max(0.0, began + STORE_PATIENCE - now))
        return last

    def _start_alone(
        self,
        request: PredictionRequest,
        warm: Warm,
        make_waiter: Callable[[PredictionResult], Waiter],
        began: float,
    ) -> bool:
        """Starts a prediction of a small value in a free thread; returns whether it is small, and there is one."""
        decoder, body = request.decoder, request.body
        if not self._batches.has_free_thread() or not decoder.is_small(warm, body):
            return False
        decoded = decoder.decode(body)
        result = PredictionResult(_version(request), request.encoder(decoded), 0)
        self._run_alone(request, warm, result, decoded, make_waiter(result), began)
        return True

    async def _predict_alone(
        self, request: PredictionRequest, warm: Warm, result: PredictionResult, decoded: Any, began: float
    ) -> PredictionResult:
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._run_alone(request, warm, result, decoded, waiter, began)
        result.body = await self._wait_for(request, waiter)
        return result

    def _run_alone(
        self,
        request: PredictionRequest,
        warm: Warm,
        result: PredictionResult,
        decoded: Any,
        waiter: Waiter,
        began: float,
    ) -> None:
        """Reads the rows and computes their answers in one free thread: a change of threads takes as long as a small picture."""
        warm.versions.add(result.version)

        def work() -> Result:
            rows = _read(request, warm, decoded)
            _take(request, 2 * _check_answer(warm, rows_in(rows), result.encoder))
            result.unknown_categories = _unknown_categories(warm, rows)
            if waiter.done():
                return DeadlineExceeded()
            pending = _pending(request, warm, rows, result.encoder, waiter)
            self._observe(result.version, "parse", pending.since - began, 1)
            return compute([pending], self._observe, self._count_rows)[0]

        self._batches.run_alone(work, waiter, request.deadline)

    async def _decode(self, request: PredictionRequest) -> tuple[Encoder, Warm, Any, bool]:
        """Decodes the body, whose memory is released, and loads the model. Returns the encoder, the model, the decoded body, and
        whether its rows can be read in the event loop."""
        decoder = request.decoder
        body, request.body = request.body, b""
        if (unpack := request.unpack) is not None:
            body = await self._run(request, partial(unpack, body))
        if len(body) <= decoder.in_loop:
            decoded = decoder.decode(body)
            encoder, warm = request.encoder(decoded), await self._warm(request)
            return encoder, warm, decoded, warm.quick_bytes is None or len(body) <= warm.quick_bytes
        decoded = await self._run(request, lambda: _decode(request, body))
        encoder, warm = request.encoder(decoded), await self._warm(request)
        return encoder, warm, decoded, False

    def _end_look_up(self, model: ModelReference) -> None:
        look_up = self._look_ups.pop(model)[1]
        if not look_up.cancelled():
            look_up.exception()  # asyncio logs an exception that nothing has retrieved

    async def _warm(self, request: PredictionRequest) -> Warm:
        version = request.version or await self.resolve(request)
        warm = self._models.known(version.digest)
        if warm is None:
            warm = await self._run(request, lambda: self._load(version))
        request.version = version
        return warm

    def _submit(
        self,
        request: PredictionRequest,
        warm: Warm,
        rows: Rows,
        encoder: Encoder,
        waiter: Waiter,
        began: float,
    ) -> PendingPrediction:
        pending = _pending(request, warm, rows, encoder, waiter)
        warm.versions.add(pending.version)
        self._batches.submit(pending)
        self._observe(pending.version, "parse", pending.since - began, 1)
        return pending

    def _check_room(self, warm: Warm, decoder: Decoder, body: bytes) -> None:
        """Refuses a request for which the queue has no room, before its rows are decoded."""
        if self._batches.waiting:
            rows = 1 if warm.quick_bytes is not None else decoder.most_rows(body)  # which counts lists, also of pixels
            if not self._batches.has_room(warm, rows):
                raise Overloaded

    async def _run(self, request: PredictionRequest, work: Callable[[], T]) -> T:
        return await self._wait_for(request, self._threads.run(work))

    async def _wait_for(self, request: PredictionRequest, future: asyncio.Future[T]) -> T:
        return await wait_for(future, request.deadline, request.disconnected)


def _version(request: PredictionRequest) -> ServedVersion:
    assert request.version is not None  # noqa: S101 - resolved before
    return request.version


def _pending(request: PredictionRequest, warm: Warm, rows: Rows, encoder: Encoder, waiter: Waiter) -> PendingPrediction:
    return PendingPrediction(
        _version(request),
        warm,
        rows,
        encoder,
        waiter,
        deadline=request.deadline,
        mergeable=request.mergeable,
        observer=request.observer,
        record=request.record,
    )


def _decode(request: PredictionRequest, body: bytes) -> Any:
    """Decodes a large body, after its values have been counted in the memory budget."""
    _take(request, request.decoder.memory_of(body))
    return request.decoder.decode(body)


def _read(request: PredictionRequest, warm: Warm, decoded: Any) -> Rows:
    """Reads the rows of a decoded body in a thread, and counts what that takes in the memory budget."""
    with counted(request.share):
        return request.decoder.read(warm, decoded)


def _take(request: PredictionRequest, size: int) -> None:
    if request.share is not None:
        request.share.take(size)


def _check_answer(warm: Warm, rows: int, encoder: Encoder) -> int:
    """Checks the size of the answer, and returns it: about how many bytes it has as JSON."""
    size = warm.answer_bytes * rows * encoder.times
    if size > MOST_ANSWER_BYTES:
        most = MOST_ANSWER_BYTES // (warm.answer_bytes * encoder.times)
        raise AnswerTooLarge(f"the answers to {rows} rows would be too large; send at most {most} rows to this model")
    return size


def _unknown_categories(warm: Warm, rows: Rows) -> int:
    if warm.has_categories and not isinstance(rows, list):
        return unknown_categories(warm.signature.inputs, rows)
    return 0
