"""Requests for predictions, from their bytes to the bytes of the answer."""

import asyncio
import contextlib
import hashlib
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import orjson
import torch
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from model_store import Store, Version
from service.api.errors import InvalidRequest, TooLarge
from service.api.middleware import access_log
from service.api.pools import until_disconnected
from service.api.predictions.bodies import bounded, decompressed, decompressor_of, nothing, whole_body
from service.api.predictions.codecs import (
    FORMS,
    JSON,
    JSON_LINES,
    NATIVE,
    READERS,
    Dialect,
    Form,
    Reader,
    Rows,
    accepted,
)
from service.api.predictions.fast_path import Exchange
from service.api.problems import answer_to
from service.serving.answers import Array, forward
from service.serving.batches import Ask, Batches
from service.serving.content_coding import decompress
from service.serving.errors import DeadlineExceeded, Overloaded
from service.serving.instances import from_texts
from service.serving.memory_budget import MemoryBudget, Share
from service.serving.stages import seen
from service.serving.stream import Stream
from service.serving.warm_models import Served, Warm, WarmModels
from service.telemetry.predictions import PredictionFigures
from service.use_cases.current_versions import CurrentVersions, Key
from service.use_cases.predict import warm as load
from service.workflow.encode import unknown_categories

PATIENCE = 1.0  # seconds after which a store that does not answer is not waited for, if there is a last known version
UNUSUAL = frozenset((b"request-timeout", b"content-encoding"))  # headers that the short way does not know
MOST_ANSWER_BYTES = 128 * 2**20  # as JSON, about
FOR_EVER = b"public, max-age=31536000, immutable"
PRIVATE = FOR_EVER.replace(b"public", b"private")  # what needed a key is no other's to be given from a shared cache
NO_VERSION = Served("", 0)
T = TypeVar("T")


@dataclass
class _Request:
    """What is known of a request so far."""

    key: Key
    receive: Receive
    headers: dict[bytes, bytes]
    query: bytes
    method: str
    dialect: Dialect
    share: Share
    began: float = field(default_factory=time.perf_counter)
    deadline: float | None = None
    served: Served = NO_VERSION
    form: Form = FORMS[JSON]  # of the answer
    told: list[tuple[bytes, bytes]] = field(default_factory=list)  # headers of the answer beside the usual ones


class Predictions:
    """Answers them. What is warm is answered in the event loop and from memory alone; what may take long (a cold model, a
    store that must be asked, a large body) is done in threads, for at most `most_waiting` requests at a time."""

    def __init__(
        self,
        store: Store,
        models: WarmModels,
        current: CurrentVersions,
        batches: Batches,
        figures: PredictionFigures,
        most_waiting: int,
        bodies: MemoryBudget,
    ) -> None:
        self._store = store
        self._models = models
        self._current = current
        self._batches = batches
        self._figures = figures
        self._most_waiting = most_waiting
        self._bodies = bodies
        self._waiting = 0
        self._threads = ThreadPoolExecutor(4, "prediction")
        self._looks: dict[Key, tuple[float, asyncio.Future[Version]]] = {}

    def close(self) -> None:
        """Begins nothing new."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._batches.close()

    async def __call__(self, key: Key, scope: Scope, receive: Receive, send: Send, dialect: Dialect = NATIVE) -> None:
        """Answers one request; HEAD as GET, the server leaves the body away."""
        headers = {name: value for name, value in reversed(scope["headers"])}  # noqa: C416 - of several the first counts
        share = self._bodies.share()
        request = _Request(key, receive, headers, scope["query_string"], scope["method"], dialect, share)
        try:
            if b"request-timeout" in headers:
                request.deadline = request.began + _seconds(headers[b"request-timeout"])
            if request.method == "POST" and dialect is NATIVE and _streams(headers):
                await self._stream(request, send)
                return
            if request.method == "POST":
                status, body = 200, await self._post(request)
            else:
                status, body = await self._get(request)
        except ClientDisconnect:
            return
        except Exception as error:
            refused = dialect.refuse(answer_to(error))
            self._figures.answered(request.served.name, request.served.number, refused.status_code)
            access_log.write(scope, refused.status_code, time.perf_counter() - request.began)
            await refused(scope, receive, send)
            return
        finally:
            share.release()
        served = request.served
        about = [*served.headers, *request.told] if status == 200 else request.told
        if status == 200:
            about += [(b"content-length", b"%d" % len(body)), (b"content-type", request.form.media_type.encode())]
            about += request.form.told
        await send({"type": "http.response.start", "status": status, "headers": about})
        await send({"type": "http.response.body", "body": body})
        self._figures.answered(served.name, served.number, status)

    def short(self, exchange: Exchange) -> bool:
        """Takes a whole and plain POST to a warm model, to be answered with the next turn of the event loop. False for all
        else, whatever the reason: `__call__` finds the words."""
        version = self._current.known(exchange.key)
        warm = None if version is None else self._models.known(version.digest)
        if version is None or warm is None or not UNUSUAL.isdisjoint(exchange.headers):
            return False
        exchange.answered = partial(self._figures.answered, version.name, version.number)
        exchange.began = began = time.perf_counter()
        try:
            rows = self._at_once(exchange, warm)
        except Overloaded as error:
            exchange.set_exception(error)
            return True
        except Exception:
            return False
        if rows is None:
            return False
        served = exchange.served = warm.served(version.name, version.number)
        ask = Ask(served, warm, rows, exchange.form.write, exchange, apart=exchange.form.apart)
        if not self._batches.is_light(ask):
            return False
        if warm.has_categories and not isinstance(rows, list) and unknown_categories(warm.signature.inputs, rows):
            return False  # the answer has a header more
        self._batches.submit(ask)
        self._figures.observe(version.name, version.number, "parse", ask.since - began)
        return True

    def _at_once(self, exchange: Exchange, warm: Warm) -> Rows | None:
        """The rows, and the form that their answer will have; None where they had better be read in a thread."""
        by = exchange.dialect.reader(exchange.headers)
        if not self._has_room(warm, by, exchange.body):
            raise Overloaded
        decoded, rows = by.at_once(warm, exchange.body)
        if rows is not None:
            exchange.form = exchange.dialect.form(exchange.headers, decoded)
        return rows

    def _has_room(self, warm: Warm, by: Reader, body: bytes) -> bool:
        """Whether so many rows would be taken, as far as a glance tells: nobody's rows are read in order to be refused."""
        if not self._batches.waiting:
            return True
        rows = max(body.count(b"["), body.count(b"{")) - 1 if by is READERS[JSON] else 1
        return self._batches.has_room(warm, rows)

    async def _post(self, request: _Request) -> bytes:
        headers = request.headers
        by = request.dialect.reader(headers)
        coding = decompressor_of(headers, by.most)
        body = await whole_body(headers, request.receive, by.most, request.share)
        began, known = time.perf_counter(), self._current.known(request.key)
        warm = None if known is None else self._models.known(known.digest)
        if warm is not None and not self._has_room(warm, by, body):
            raise Overloaded
        if coding is not None:
            sent = body
            body = await self._apart(request, lambda: decompress(sent, coding, request.share.take))
            del sent
        apart = len(body) > by.in_loop
        decoded = await self._apart(request, lambda: self._decoded(request, by, body)) if apart else by.decode(body)
        request.form = request.dialect.form(headers, decoded)
        version, warm = await self._warm(request)
        rows = await self._apart(request, lambda: by.read(warm, decoded)) if apart else by.read(warm, decoded)
        self._check_answer(request, warm, len(rows))
        write, waiter = request.form.write, asyncio.get_running_loop().create_future()
        until, aside = request.deadline, request.form.apart
        ask = Ask(request.served, warm, rows, write, waiter, deadline=until, apart=aside, seen=seen.get())
        self._tell_unknown(request, warm, rows)
        self._figures.observe(version.name, version.number, "parse", ask.since - began)
        return await self._answer(request, ask, waiter)

    def _decoded(self, request: _Request, by: Reader, body: bytes) -> Any:
        """What a large body says; what reading it takes in memory is taken of the budget before."""
        request.share.take(by.weight(body))
        return by.decode(body)

    def _check_answer(self, request: _Request, warm: Warm, rows: int) -> None:
        """That the answer is not too large, and there is memory for it."""
        size = warm.answer_bytes * rows
        if size > MOST_ANSWER_BYTES:
            most = MOST_ANSWER_BYTES // warm.answer_bytes
            raise TooLarge(f"the answers to {rows} rows would be too large; send at most {most} rows to this model")
        request.share.take(2 * size)

    async def _stream(self, request: _Request, send: Send) -> None:
        """Row after row in, answer after answer out; never more than a batch of them in memory."""
        request.form = FORMS[JSON_LINES]
        # Who waits for a cold model looks whether the client has left, and would take the rows off for that.
        receive, request.receive = request.receive, nothing
        version, warm = await self._warm(request)
        coding = decompressor_of(request.headers, sys.maxsize)
        chunks: AsyncIterator[bytes] = bounded(receive, sys.maxsize)
        if coding is not None:
            chunks = decompressed(chunks, coding, self._threads)

        async def predict(raw: torch.Tensor) -> Array:
            if request.deadline is not None and time.perf_counter() > request.deadline:
                raise DeadlineExceeded
            return await asyncio.get_running_loop().run_in_executor(self._threads, forward, warm, raw)

        self._let_in()
        self._waiting += 1
        try:
            answers = Stream(warm, warm.model.fills_missing, predict).answers(chunks)
            first = await anext(answers)  # a fault in the first batch is an ordinary answer of its own
            headers = [*request.served.headers, (b"content-type", JSON_LINES.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send_on(send, first, answers)
        finally:
            self._waiting -= 1
        self._figures.answered(version.name, version.number, 200)

    async def _get(self, request: _Request) -> tuple[int, bytes]:
        form = request.form = accepted(request.headers)
        began = time.perf_counter()
        version = await self._version(request)
        query = QueryParams(request.query)
        columns: dict[str, list[str]] = {name: query.getlist(name) for name in sorted(query)}
        # The order of names says nothing, that of rows does.
        etag = f'"{hashlib.sha256(orjson.dumps([version.digest, form.media_type, columns])).hexdigest()}"'
        for_ever = PRIVATE if b"authorization" in request.headers else FOR_EVER
        keep = for_ever if (request.key[1] or "").isdecimal() else b"no-cache"
        request.told = [(b"etag", etag.encode()), (b"cache-control", keep), (b"vary", b"Accept")]
        known = request.headers.get(b"if-none-match", b"").decode("latin-1")
        if known.strip() == "*" or etag in _etags(known):
            return 304, b""
        warm = await self._model(request, version)
        rows = from_texts(warm.signature.with_points, columns, warm.model.fills_missing)
        self._tell_unknown(request, warm, rows)
        write, waiter, until = form.write, asyncio.get_running_loop().create_future(), request.deadline
        aside = form.apart
        ask = Ask(request.served, warm, rows, write, waiter, deadline=until, alone=True, apart=aside, seen=seen.get())
        self._figures.observe(version.name, version.number, "parse", ask.since - began)
        return 200, await self._answer(request, ask, waiter)

    async def _answer(self, request: _Request, ask: Ask, waiter: asyncio.Future[bytes]) -> bytes:
        self._batches.submit(ask)
        if self._batches.is_light(ask):
            return await waiter
        try:
            return await self._patiently(request, waiter)
        finally:
            self._batches.withdraw(ask)

    async def _warm(self, request: _Request) -> tuple[Version, Warm]:
        version = self._current.known(request.key) or await self._version(request)
        return version, await self._model(request, version)

    async def _model(self, request: _Request, version: Version) -> Warm:
        warm = self._models.known(version.digest)
        if warm is None:
            warm = await self._apart(request, lambda: load(self._store, self._models, version))
        request.served = warm.served(version.name, version.number)
        return warm

    async def _version(self, request: _Request) -> Version:
        """By memory; else by the store, which is asked once for all who wait for the same."""
        key = request.key
        if (known := self._current.known(key)) is not None:
            return known
        last, now = self._current.last_known(key), time.perf_counter()
        if key not in self._looks:
            self._let_in()
            look = asyncio.get_running_loop().run_in_executor(self._threads, self._current.look, key)
            self._looks[key] = (now, look)
            self._waiting += 1
            look.add_done_callback(lambda _: self._looked(key))
        began, look = self._looks[key]
        if last is None:
            return await self._patiently(request, asyncio.shield(look))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(look), max(0.0, began + PATIENCE - now))
        return last

    def _looked(self, key: Key) -> None:
        self._waiting -= 1
        look = self._looks.pop(key)[1]
        if not look.cancelled():
            look.exception()  # those who waited have it; without them nobody would, and asyncio would complain

    async def _apart(self, request: _Request, work: Callable[[], T]) -> T:
        """Work in a thread, within the bound of those who wait."""
        self._let_in()
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await self._patiently(request, done)
        finally:
            self._waiting -= 1

    def _let_in(self) -> None:
        if self._waiting >= self._most_waiting:
            raise Overloaded

    async def _patiently(self, request: _Request, future: asyncio.Future[T]) -> T:
        """What comes of it, unless the client goes away or its time is over before."""
        left = None if request.deadline is None else request.deadline - time.perf_counter()
        leaves = asyncio.ensure_future(until_disconnected(request.receive))
        try:
            await asyncio.wait((future, leaves), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            raise ClientDisconnect if leaves.done() else DeadlineExceeded
        finally:
            leaves.cancel()
            if not future.done():
                future.cancel()

    def _tell_unknown(self, request: _Request, warm: Warm, rows: Rows) -> None:
        if warm.has_categories and not isinstance(rows, list):
            unknown = unknown_categories(warm.signature.inputs, rows)
            if unknown:
                request.told.append((b"unknown-categories", b"%d" % unknown))


async def _send_on(send: Send, first: bytes, others: AsyncIterator[bytes]) -> None:
    """The answers of a stream that has begun. One that cannot go on ends with a line that says why, and without the end
    that HTTP gives a whole answer: no client takes it for one."""
    await send({"type": "http.response.body", "body": first, "more_body": True})
    try:
        async for lines in others:
            await send({"type": "http.response.body", "body": lines, "more_body": True})
    except ClientDisconnect:
        return
    except Exception as error:
        line = b'{"error":%b}\n' % bytes(answer_to(error).body)
        await send({"type": "http.response.body", "body": line, "more_body": True})
        return
    await send({"type": "http.response.body", "body": b""})


def _streams(headers: dict[bytes, bytes]) -> bool:
    """Whether rows come and answers are wanted line by line."""
    given = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
    return given == JSON_LINES.encode() and accepted(headers, JSON_LINES).media_type == JSON_LINES


def _seconds(given: bytes) -> float:
    """The seconds of Request-Timeout."""
    try:
        seconds = float(given) if b"_" not in given else math.nan
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InvalidRequest("Request-Timeout must be a number of seconds, such as 0.5")
    return seconds


def _etags(header: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in header.split(",")}


def measure(figures: PredictionFigures) -> Callable[[Served, str, float, int], Any]:
    """How batches tell what they measure."""
    return lambda served, stage, value, times: figures.observe(served.name, served.number, stage, value, times)
