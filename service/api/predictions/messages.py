"""Conversion between HTTP and the predictor, for the endpoint and for the fast path."""

import math
import time
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from service.api.errors import InvalidRequest
from service.api.predictions.dialect import Dialect, Headers, Target
from service.api.problems import answer_to
from service.serving.codecs.codec import JsonThenBytes
from service.serving.memory_budget import Share
from service.serving.prediction import PredictionRequest, PredictionResult
from service.serving.served_version import ServedVersion
from service.telemetry import access_log
from service.telemetry.predictions import PredictionFigures

Lines = list[tuple[bytes, bytes]]


def post_request(target: Target, headers: Headers, body: bytes, share: Share | None, began: float) -> PredictionRequest:
    """Converts a POST that was received at `began`, in seconds of `time.perf_counter`.

    Raises:
        InvalidRequest: Request-Timeout is not a number of seconds.
        UnsupportedMediaType: the Content-Type is not supported.
    """
    model, dialect = target
    deadline = deadline_of(headers, began)
    return PredictionRequest(
        model, dialect.decoder(headers), partial(dialect.encoder, headers), body, share, deadline=deadline
    )


def deadline_of(headers: Headers, began: float) -> float | None:
    """The deadline by Request-Timeout, in seconds of `time.perf_counter`; None without that header.

    Raises:
        InvalidRequest: it is not a number of seconds.
    """
    given = headers.get(b"request-timeout")
    if given is None:
        return None
    try:
        seconds = float(given) if b"_" not in given else math.nan
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InvalidRequest("Request-Timeout must be a number of seconds, such as 0.5")
    return began + seconds


def version_headers(version: ServedVersion) -> Lines:
    """The headers that name the version."""
    return [(b"model-name", version.name.encode()), (b"model-version", b"%d" % version.number)]


def special_headers(result: PredictionResult, dialect: Dialect) -> Lines:
    """The headers that only some responses have."""
    lines: Lines = []
    if result.unknown_categories:
        lines.append((b"unknown-categories", b"%d" % result.unknown_categories))
    if isinstance(result.body, JsonThenBytes):
        lines.append((dialect.json_length, b"%d" % result.body.json_length))
    return lines


def refusal(
    error: Exception,
    scope: Scope,
    dialect: Dialect,
    figures: PredictionFigures,
    version: ServedVersion | None,
    began: float,
) -> Response:
    """The response to a request that failed; it is counted for the version, if that is known, and written to the access log."""
    response = dialect.refuse(answer_to(error))
    name, number = ("", 0) if version is None else (version.name, version.number)
    figures.answered(name, number, response.status_code)
    access_log.write(scope, response.status_code, time.perf_counter() - began)
    return response
