"""What is seen of each request: its figures, its line in the access log and, where there are traces, its span."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware import access_log
from service.api.predictions.codecs import NATIVE, Dialect
from service.api.predictions.endpoint import Predictions
from service.api.predictions.fast_path import Exchange
from service.serving.stages import seen
from service.telemetry.logs import begin
from service.telemetry.requests import RequestFigures
from service.use_cases.current_versions import Key

if TYPE_CHECKING:
    from prometheus_client import Gauge

    from service.telemetry.traces import Traces

LEFT = 499  # the status of a request whose client has gone before there was an answer
EVENT_STREAM = b"text/event-stream; charset=utf-8"
PREDICTIONS = "/v1/models/{name}/predictions"
PREDICTIONS_OF_VERSION = "/v1/models/{name}/versions/{version}/predictions"


class Watched:
    """An ASGI application around the framework."""

    def __init__(self, app: ASGIApp, requests: RequestFigures, traces: Callable[[], "Traces | None"]) -> None:
        self._app = app
        self._requests = requests
        self._open_traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes all on, and looks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traces = self._open_traces()
        state = scope.setdefault("state", {})
        answer = _Answer(send, self._requests.streams)
        with _span(traces, scope) as span:
            if traces is not None:
                begin(traces.trace_id(span))
                state["traceparent"] = traces.traceparent(span)
            try:
                await self._app(scope, receive, answer)
            finally:
                self._tell(scope, answer, traces, span)

    def _tell(self, scope: Scope, answer: "_Answer", traces: "Traces | None", span: Any) -> None:
        took = answer.end()
        route = getattr(scope.get("route"), "path_format", None)
        state = scope["state"]
        state.setdefault("job_id", scope.get("path_params", {}).get("job_id"))
        began_after = took if answer.began_after is None else answer.began_after
        self._requests.answered(scope["method"], route, answer.status, began_after)
        access_log.write(scope, answer.status, took)
        if traces is not None:
            traces.answered(span, scope["method"], route, answer.status, state["job_id"])


def refused(requests: RequestFigures, scope: Scope, status: int, seconds: float) -> None:
    """Tells of a request that was refused before anybody else saw it. It is in no trace."""
    begin(None)
    access_log.write(scope, status, seconds)
    requests.answered(scope["method"], None, status, seconds)


def turned_away(requests: RequestFigures, method: str, path: str, status: int) -> None:
    """Tells of a connection that was ended before its request was whole."""
    begin(None)
    access_log.turned_away(method, path, status)
    requests.answered(method, None, status, 0.0)


class WatchedPredictions:
    """Around predictions, only where there are traces or where every request is logged: it takes its time of each."""

    def __init__(self, predictions: Predictions, traces: "Traces | None", *, log_all: bool) -> None:
        self._predictions = predictions
        self._traces = traces
        self._log_all = log_all

    def short(self, exchange: Exchange) -> bool:
        """Never the short way: nothing would be seen there."""
        return False

    async def __call__(self, key: Key, scope: Scope, receive: Receive, send: Send, dialect: Dialect = NATIVE) -> None:
        """Answers as they do, and looks. A failure has been logged by them."""
        answer = _Answer(send)
        with _span(self._traces, scope) as span:
            token = None
            if self._traces is not None:
                begin(self._traces.trace_id(span))
                token = seen.set(partial(self._stage, span, answer))
            try:
                await self._predictions(key, scope, receive, answer, dialect)
            finally:
                if token is not None:
                    seen.reset(token)
                if self._log_all and answer.status < 400:
                    access_log.write(scope, answer.status, answer.until_now())
                if self._traces is not None:
                    own = PREDICTIONS if key[1] is None else PREDICTIONS_OF_VERSION
                    route = own if dialect is NATIVE else None
                    self._traces.answered(span, scope["method"], route, answer.status)

    def _stage(self, span: Any, answer: "_Answer", stage: str, seconds: float) -> None:
        assert self._traces is not None  # noqa: S101 - else nobody calls this
        if stage == "queue":  # all that was before
            self._traces.stage_of_prediction(span, "parse", answer.until_now() - seconds)
        self._traces.stage_of_prediction(span, stage, seconds)


class _Answer:
    """Sends an answer on, and keeps what is to be told of it."""

    def __init__(self, send: Send, streams: "Gauge | None" = None) -> None:
        self._send = send
        self._streams = streams
        self._began = time.perf_counter()
        self.status = LEFT
        self.began_after: float | None = None  # seconds until its first byte
        self._is_stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.began_after = self.until_now()
            if self._streams is not None and (b"content-type", EVENT_STREAM) in message["headers"]:
                self._is_stream = True
                self._streams.inc()
        await self._send(message)

    def end(self) -> float:
        """The seconds that it has taken, now that it is over."""
        if self._streams is not None and self._is_stream:
            self._streams.dec()
        return self.until_now()

    def until_now(self) -> float:
        """Seconds since the request came."""
        return time.perf_counter() - self._began


def _span(traces: "Traces | None", scope: Scope) -> AbstractContextManager[Any]:
    return nullcontext() if traces is None else traces.request(scope["method"], scope["path"], scope["headers"])
