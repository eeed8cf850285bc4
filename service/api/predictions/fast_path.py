"""Predictions without ASGI: from a complete request on the connection to a micro-batch, and from there to the socket.

What uvicorn makes for each request (a scope, a task, two messages of a response) takes as long as all the rest of a prediction
of a small model. A request that this path does not answer goes over ASGI unchanged.
"""

import time
from collections.abc import Callable
from functools import lru_cache

from service.access.errors import AccessError
from service.access.keys import ApiKey
from service.access.scopes import Scope as KeyScope
from service.api.predictions.dialect import Headers, Target, content_type
from service.api.predictions.messages import post_request, refusal, special_headers, version_headers
from service.api.security_headers import POLICY
from service.http_server.direct_request import DirectRequest, rendered
from service.http_server.errors import CutOff
from service.serving.codecs import JSON_LINES
from service.serving.prediction import PredictionRequest, PredictionResult
from service.serving.prediction_record import BeginRecord
from service.serving.predictor import Predictor
from service.serving.served_version import ServedVersion
from service.telemetry.predictions import PredictionFigures
from service.telemetry.request import REQUEST_ID, request_id
from service.workflow.errors import InvalidInstances

Client = tuple[str, int] | None  # address and port; None if it is not known
Authorize = Callable[[KeyScope, str, Headers, Client], tuple[ApiKey | None, AccessError | None]]


class FastPath:
    """Answers predictions on a connection.

    Args:
        find: gives the target of a path.
        authorize: gives the key of a request, and the error if it must be refused.
        predictor: gives the predictor; None where no request takes this path.
        figures: counts the responses.
        cross_origin: gives the headers for web pages of other sites.
        client_of: gives the client behind a trusted proxy.
        begin_record: begins the record of a request with this id, if the log of predictions keeps it.
    """

    def __init__(
        self,
        find: Callable[[str], Target | None],
        authorize: Authorize,
        predictor: Callable[[], Predictor | None],
        figures: PredictionFigures,
        cross_origin: Callable[[Headers], tuple[tuple[bytes, bytes], ...]],
        client_of: Callable[[Client, list[bytes]], Client],
        begin_record: BeginRecord | None,
    ) -> None:
        self.find = find
        self.figures = figures
        self.cross_origin = cross_origin
        self.client_of = client_of
        self._authorize = authorize
        self._predictor = predictor
        self._begin_record = begin_record

    def answer(self, request: DirectRequest, target: Target) -> bool:
        """Returns whether the request is answered here, now or in the next iteration of the event loop."""
        headers, predictor = request.headers, self._predictor()
        if predictor is None or b"content-encoding" in headers:
            return False
        key, refused = self._authorize(KeyScope.PREDICT, "POST", headers, request.client)
        if refused is not None:
            return False
        waiter = _Waiter(self, request, target, key)
        try:
            waiter.prediction = post_request(target, headers, request.body, None, waiter.began)
            if self._begin_record is not None:
                waiter.prediction.record = self._begin_record(waiter.request_id)
            started = predictor.start(waiter.prediction, waiter.for_result)
        except Exception as error:
            if isinstance(error, InvalidInstances) and content_type(headers) == JSON_LINES:
                return False  # over ASGI it is a stream, whose errors have another detail
            waiter.set_exception(error)
            return True
        request.on_cut_off = waiter.cut_off
        return started


class _Waiter:
    """Sends the response to a direct request once its body is computed."""

    __slots__ = ("_fast_path", "_key", "_request", "_result", "_target", "began", "done", "prediction", "request_id")
    _result: PredictionResult

    def __init__(self, fast_path: FastPath, request: DirectRequest, target: Target, key: ApiKey | None) -> None:
        self._fast_path = fast_path
        self._request = request
        self._target = target
        self._key = key
        self.request_id = request_id(request.headers)
        self.began = time.perf_counter()
        self.done = request.is_over
        self.prediction: PredictionRequest | None = None

    def for_result(self, result: PredictionResult) -> "_Waiter":
        """Sets the result whose body is awaited."""
        self._result = result
        return self

    def set_result(self, body: bytes) -> None:
        """Sends the response with this body."""
        result = self._result
        result.body = body
        version, special = result.version, special_headers(result, self._target[1])
        head = _head(version, result.encoder.media_type)
        self._send(200, head + rendered(special) if special else head, body)
        self._fast_path.figures.answered(version.name, version.number, 200)
        if self.prediction is not None and self.prediction.record is not None:
            self.prediction.record.end()

    def set_exception(self, error: Exception) -> None:
        """Sends the response to this error."""
        token = REQUEST_ID.set(self.request_id)
        try:
            state = {"request_id": self.request_id, "key": self._key and self._key.name}
            request, fast_path = self._request, self._fast_path
            client = fast_path.client_of(request.client, [request.headers.get(b"x-forwarded-for", b"")])
            scope = {"method": "POST", "path": request.path, "client": client, "state": state}
            version = None if self.prediction is None else self.prediction.version
            response = refusal(error, scope, self._target[1], fast_path.figures, version, self.began)
            lines = [line for line in response.raw_headers if line[0] != b"content-length"]
            self._send(response.status_code, rendered(lines), bytes(response.body))
        finally:
            REQUEST_ID.reset(token)  # the rest of this iteration of the event loop belongs to other requests

    def cut_off(self) -> None:
        """Sends the response for a shutdown."""
        self.set_exception(CutOff())

    def _send(self, status: int, head: bytes, body: bytes) -> None:
        lines = self._fast_path.cross_origin(self._request.headers)
        around = (head, self.request_id.encode(), _POLICY, _rendered(lines) if lines else b"")
        self._request.send(status, b"%brequest-id: %b\r\n%b%b" % around, body)


_POLICY = rendered([POLICY])


@lru_cache(4096)
def _head(version: ServedVersion, media_type: str) -> bytes:
    return rendered([*version_headers(version), (b"content-type", media_type.encode())])


@lru_cache(256)
def _rendered(lines: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return rendered([*lines])
