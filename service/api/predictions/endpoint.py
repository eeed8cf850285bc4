"""Requests for predictions over ASGI."""

import hashlib
import sys
import time
from collections.abc import AsyncIterator
from functools import partial

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.api.content_coding import decompress
from service.api.pools import until_disconnected
from service.api.predictions.bodies import bounded, decompressed, decompressor_of, whole_body
from service.api.predictions.dialect import Dialect, Headers, Target
from service.api.predictions.intervals import check_no_interval, decoder_with, level_in, of_look_up
from service.api.predictions.messages import (
    Lines,
    deadline_of,
    post_request,
    refusal,
    special_headers,
    version_headers,
)
from service.api.predictions.negotiation import NATIVE, accepted, is_stream
from service.api.problems import answer_to
from service.api.ranges import is_known
from service.serving.codecs import JSON_LINES, query
from service.serving.errors import ClientGone
from service.serving.memory_budget import MemoryBudget, Share
from service.serving.pending_prediction import StageObserver
from service.serving.prediction import PredictionRequest, PredictionResult
from service.serving.prediction_record import BeginRecord
from service.serving.predictor import Predictor
from service.telemetry.predictions import PredictionFigures

FOR_EVER = b"public, max-age=31536000, immutable"
PRIVATE = FOR_EVER.replace(b"public", b"private")  # a shared cache must not serve what needs a key to other clients


class PredictionEndpoint:
    """The ASGI endpoint of predictions.

    Args:
        predictor: computes them.
        figures: counts the responses.
        bodies: the memory budget for bodies.
        begin_record: begins the record of a request with this id, if the log of predictions keeps it.
    """

    def __init__(
        self,
        predictor: Predictor,
        figures: PredictionFigures,
        bodies: MemoryBudget,
        begin_record: BeginRecord | None,
    ) -> None:
        self._predictor = predictor
        self._figures = figures
        self._bodies = bodies
        self._begin_record = begin_record

    async def __call__(
        self, target: Target, scope: Scope, receive: Receive, send: Send, observer: StageObserver | None = None
    ) -> None:
        """Answers a POST, or a GET or HEAD of the native protocol; the server omits the body of a response to HEAD.

        Args:
            target: the model and the protocol.
            observer: is given the seconds of each stage.
        """
        began, request = time.perf_counter(), None
        headers = {name: value for name, value in reversed(scope["headers"])}  # noqa: C416 - of several the first counts
        with self._bodies.share() as share:
            try:
                if scope["method"] == "POST":
                    request = post_request(target, headers, b"", share, began)
                    if target[1] is NATIVE and (level := level_in(scope["query_string"])) is not None:
                        request.decoder = decoder_with(request.decoder, level)
                else:
                    deadline, encoder = deadline_of(headers, began), accepted(headers)
                    decoder, choose = of_look_up(scope["query_string"], encoder)
                    request = PredictionRequest(
                        target[0], decoder, choose, scope["query_string"], share, deadline=deadline
                    )
                    request.mergeable = False
                if self._begin_record is not None:
                    request.record = self._begin_record(scope["state"]["request_id"])
                request.observer, request.disconnected = observer, partial(until_disconnected, receive)
                if scope["method"] != "POST":
                    await self._get(request, headers, send)
                elif target[1] is NATIVE and is_stream(headers):
                    check_no_interval(level_in(scope["query_string"]))
                    await self._stream(request, headers, receive, send)
                else:
                    await self._post(request, target[1], headers, share, receive, send)
            except (ClientDisconnect, ClientGone):
                return
            except Exception as error:
                version = None if request is None else request.version
                response = refusal(error, scope, target[1], self._figures, version, began)
                await response(scope, receive, send)

    async def _post(
        self,
        request: PredictionRequest,
        dialect: Dialect,
        headers: Headers,
        share: Share,
        receive: Receive,
        send: Send,
    ) -> None:
        coding = decompressor_of(headers, request.decoder.most)
        request.body = await whole_body(headers, receive, request.decoder.most, share)
        if coding is not None:
            request.unpack = partial(decompress, by=coding, take=share.take)
        await self._answer(await self._predict(request), dialect, [], send)

    async def _get(self, request: PredictionRequest, headers: Headers, send: Send) -> None:
        encoder = request.encoder(None)
        request.version = version = await self._predictor.resolve(request)
        key = orjson.dumps([version.digest, encoder.media_type, query.columns(request.body)])
        etag = f'"{hashlib.sha256(key).hexdigest()}"'
        for_ever = PRIVATE if b"authorization" in headers else FOR_EVER
        keep = for_ever if (request.model[1] or "").isdecimal() else b"no-cache"
        lines = [(b"etag", etag.encode()), (b"cache-control", keep), (b"vary", b"Accept")]
        if is_known(headers.get(b"if-none-match", b"").decode("latin-1"), etag):
            await _send(send, 304, lines, b"")
            self._figures.answered(version.name, version.number, 304)
        else:
            await self._answer(await self._predict(request), NATIVE, lines, send)

    async def _predict(self, request: PredictionRequest) -> PredictionResult:
        result = await self._predictor.predict(request)
        if request.record is not None:
            request.record.end()  # before the answer is sent: this takes no time, and feedback may follow at once
        return result

    async def _answer(self, result: PredictionResult, dialect: Dialect, lines: Lines, send: Send) -> None:
        version, body = result.version, result.body
        content = [(b"content-length", b"%d" % len(body)), (b"content-type", result.encoder.media_type.encode())]
        await _send(send, 200, [*version_headers(version), *lines, *content, *special_headers(result, dialect)], body)
        self._figures.answered(version.name, version.number, 200)

    async def _stream(self, request: PredictionRequest, headers: Headers, receive: Receive, send: Send) -> None:
        request.disconnected = None  # waiting for a disconnect would consume the rows
        request.chunks = bounded(receive, sys.maxsize)
        coding = decompressor_of(headers, sys.maxsize)
        if coding is not None:
            request.chunks = decompressed(request.chunks, coding)
        answers = self._predictor.stream(request)
        try:
            first = await anext(answers)  # an error in the first batch becomes an error response
            assert request.version is not None  # noqa: S101 - it has predicted
            # With buffering, nginx would stop to pass the body on as soon as the response has begun.
            content = [(b"content-type", JSON_LINES.encode()), (b"x-accel-buffering", b"no")]
            lines = [*version_headers(request.version), *content]
            await send({"type": "http.response.start", "status": 200, "headers": lines})
            await _send_stream(send, first, answers)
        finally:
            await answers.aclose()
        self._figures.answered(request.version.name, request.version.number, 200)


async def _send(send: Send, status: int, lines: Lines, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def _send_stream(send: Send, first: bytes, others: AsyncIterator[bytes]) -> None:
    """Sends a stream whose first piece is `first`. On an error its last line is the problem document, and the chunked response
    is left incomplete, so that clients detect the failure."""
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
