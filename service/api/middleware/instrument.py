"""Records each request: metrics, a line in the access log and, if tracing is enabled, a span."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.predictions.dialect import Target
from service.api.predictions.endpoint import PredictionEndpoint
from service.api.predictions.negotiation import NATIVE
from service.telemetry import access_log
from service.telemetry.logs import begin
from service.telemetry.requests import RequestFigures

if TYPE_CHECKING:
    from prometheus_client import Gauge

    from service.telemetry.traces import Traces

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a request whose client disconnected before the response
EVENT_STREAM = b"text/event-stream; charset=utf-8"
PREDICTIONS = "/v1/models/{name}/predictions"
PREDICTIONS_OF_VERSION = "/v1/models/{name}/versions/{version}/predictions"


class Instrument:
    """An ASGI application around the framework that records the requests to it."""

    def __init__(self, app: ASGIApp, requests: RequestFigures, traces: Callable[[], "Traces | None"]) -> None:
        self._app = app
        self._requests = requests
        self._open_traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the application, and records the response."""
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
                self._record(scope, answer, traces, span)

    def _record(self, scope: Scope, answer: "_Answer", traces: "Traces | None", span: Any) -> None:
        took = answer.end()
        route = getattr(scope.get("route"), "path_format", None)
        state = scope["state"]
        state.setdefault("job_id", scope.get("path_params", {}).get("job_id"))
        began_after = took if answer.began_after is None else answer.began_after
        self._requests.answered(scope["method"], route, answer.status, began_after)
        access_log.write(scope, answer.status, took)
        if traces is not None:
            traces.answered(span, scope["method"], route, answer.status, state["job_id"])


def answered_before(requests: RequestFigures, scope: Scope, status: int, seconds: float) -> None:
    """Records a request that was answered before the framework: not authorized, or a preflight. It has no span."""
    begin(None)
    access_log.write(scope, status, seconds)
    requests.answered(scope["method"], None, status, seconds)


def refused_connection(requests: RequestFigures, method: str, path: str, status: int) -> None:
    """Records a connection that was refused before its request was complete."""
    begin(None)
    access_log.write_refused_connection(method, path, status)
    requests.answered(method, None, status, 0.0)


class InstrumentedPredictions:
    """Traces predictions, and logs those that succeed; the endpoint logs those that fail. Used only where the settings enable
    it, because it takes time of each prediction."""

    def __init__(self, endpoint: PredictionEndpoint, traces: "Traces | None", *, log_all: bool) -> None:
        self._endpoint = endpoint
        self._traces = traces
        self._log_all = log_all

    async def __call__(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the endpoint, and records the response."""
        answer, traces = _Answer(send), self._traces
        with _span(traces, scope) as span:
            observer = None
            if traces is not None:
                begin(traces.trace_id(span))
                observer = partial(_trace_stage, traces, span, answer)
            try:
                await self._endpoint(target, scope, receive, answer, observer)
            finally:
                if self._log_all and answer.status < 400:
                    access_log.write(scope, answer.status, answer.until_now())
                if traces is not None:
                    (_, reference), dialect = target
                    route = PREDICTIONS if reference is None else PREDICTIONS_OF_VERSION
                    traces.answered(span, scope["method"], route if dialect is NATIVE else None, answer.status)


def _trace_stage(traces: "Traces", span: Any, answer: "_Answer", stage: str, seconds: float) -> None:
    if stage == "queue":  # the first observed stage: parsing has taken the time before it
        traces.stage_of_prediction(span, "parse", answer.until_now() - seconds)
    traces.stage_of_prediction(span, stage, seconds)


class _Answer:
    """Forwards a response, and records its status and times."""

    def __init__(self, send: Send, streams: "Gauge | None" = None) -> None:
        self._send = send
        self._streams = streams
        self._began = time.perf_counter()
        self.status = CLIENT_CLOSED_REQUEST
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
        """Ends the response, and returns the seconds since the request."""
        if self._streams is not None and self._is_stream:
            self._streams.dec()
        return self.until_now()

    def until_now(self) -> float:
        """Seconds since the request."""
        return time.perf_counter() - self._began


def _span(traces: "Traces | None", scope: Scope) -> AbstractContextManager[Any]:
    return (
        nullcontext()
        if traces is None
        else traces.request(scope["method"], scope["path"], scope["headers"], scope["scheme"])
    )
