"""The table from errors to responses: RFC 9457 problem details with a stable `code`."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypeVar, cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, with_config
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from typing_extensions import TypedDict

from model_store import errors as store
from model_store.os_errors import storage_errors
from service import strict_json
from service.access import errors as access
from service.api import content_coding
from service.api import errors as edge
from service.api.security_headers import POLICY
from service.home import HomeError
from service.http_server import errors as http
from service.jobs import errors as jobs
from service.serving import errors as serving
from service.signatures import errors as signatures
from service.telemetry.request import REQUEST_ID
from service.use_cases import feedback, uploads
from service.use_cases.artifacts import ArtifactFailed, TooManyArtifacts
from service.use_cases.cancellation import Cancelled
from service.use_cases.child_process import ChildFailed
from service.use_cases.upload_dataset import TooManySurveys
from service.workflow import errors as workflow
from service.workflow.errors import Fault
from service.workflow.spec_base import MOST_FAULTS

# Searched in the order of the class's MRO, so that the nearest ancestor counts.
TABLE: dict[type[Exception], tuple[int, str]] = {
    http.HeadTooLarge: (431, "invalid_request"),
    http.AddressTooLong: (414, "invalid_request"),
    http.UnsupportedVersion: (505, "invalid_request"),
    http.TooSlow: (408, "invalid_request"),
    http.TooManyConnections: (503, "overloaded"),
    http.CutOff: (503, "unavailable"),
    http.HttpError: (400, "invalid_request"),
    strict_json.NotStrictJson: (400, "invalid_json"),
    strict_json.TooManyBrackets: (413, "too_large"),
    edge.InvalidRequest: (422, "invalid_request"),
    edge.NotAcceptable: (406, "not_acceptable"),
    edge.TooLarge: (413, "too_large"),
    edge.UnsupportedMediaType: (415, "unsupported_media_type"),
    edge.RangeNotSatisfiable: (416, "range_not_satisfiable"),
    edge.TooManyRequests: (429, "overloaded"),
    edge.RequestError: (400, "invalid_request"),
    access.Unauthorized: (401, "unauthorized"),
    access.Forbidden: (403, "forbidden"),
    access.ApiKeyNotFound: (404, "key_not_found"),
    access.ApiKeyExists: (409, "key_exists"),
    access.InvalidKey: (422, "invalid_request"),
    access.AccessError: (503, "unavailable"),
    HomeError: (503, "unavailable"),
    content_coding.ContentTooLarge: (413, "too_large"),
    content_coding.UnknownCoding: (415, "unsupported_media_type"),
    content_coding.InvalidCoding: (400, "invalid_request"),
    jobs.JobNotFound: (404, "job_not_found"),
    jobs.SweepNotFound: (404, "sweep_not_found"),
    jobs.SweepDamaged: (503, "journal_damaged"),
    jobs.TooManyWatchers: (429, "overloaded"),
    jobs.IllegalMove: (409, "illegal_transition"),
    jobs.IdempotencyMismatch: (422, "idempotency_mismatch"),
    jobs.MetricsDamaged: (503, "journal_damaged"),
    jobs.IdempotencyDamaged: (409, "journal_damaged"),
    jobs.JournalFull: (507, "no_space"),
    jobs.JobsError: (503, "unavailable"),
    store.InvalidName: (422, "invalid_name"),
    store.InvalidManifest: (422, "invalid_bundle"),
    store.InvalidBundle: (422, "invalid_bundle"),
    store.BundleMadeByNewer: (422, "made_by_newer"),
    store.NameNotFound: (404, "model_not_found"),
    store.VersionNotFound: (404, "version_not_found"),
    store.AliasNotFound: (404, "version_not_found"),
    store.RetentionNotFound: (404, "retention_not_found"),
    store.VersionInUse: (409, "version_in_use"),
    store.PreconditionFailed: (412, "precondition_failed"),
    store.NothingToRollBackTo: (409, "illegal_transition"),
    store.MadeByNewer: (503, "made_by_newer"),
    store.Corrupt: (503, "version_corrupt"),
    signatures.InvalidSigningKey: (503, "unavailable"),
    signatures.SignatureError: (409, "not_signed"),
    store.NoSpace: (507, "no_space"),
    store.StoreError: (503, "unavailable"),
    workflow.InvalidSpec: (422, "invalid_spec"),
    workflow.InvalidInstances: (422, "invalid_instances"),
    workflow.InvalidData: (422, "invalid_data"),
    workflow.InvalidRows: (422, "invalid_request"),
    workflow.NotAvailable: (404, "not_available"),
    workflow.NoIntervals: (422, "not_available"),
    workflow.ExportFailed: (409, "export_failed"),
    workflow.WorkflowError: (422, "invalid_spec"),
    serving.Overloaded: (429, "overloaded"),
    serving.BodyNotTaken: (415, "unsupported_media_type"),
    serving.AnswerTooLarge: (413, "too_large"),
    serving.ClientGone: (400, "invalid_request"),  # which no client reads
    serving.DeadlineExceeded: (504, "deadline_exceeded"),
    serving.ServingError: (500, "prediction_failed"),
    Cancelled: (400, "invalid_request"),  # not sent: the client has disconnected
    ArtifactFailed: (503, "unavailable"),
    TooManyArtifacts: (429, "overloaded"),
    ChildFailed: (503, "unavailable"),
    TooManySurveys: (429, "overloaded"),
    feedback.PredictionLogOff: (409, "prediction_log_off"),
    feedback.PredictionNotLogged: (404, "prediction_not_found"),
    feedback.FeedbackError: (422, "invalid_request"),
    uploads.UploadNotFound: (404, "upload_not_found"),
    uploads.UploadTooLarge: (413, "too_large"),
    uploads.TooManyUploads: (429, "overloaded"),
    uploads.UploadError: (409, "upload_conflict"),
}

PROBLEM = "application/problem+json"
# Of texts in a problem: they may contain names that the client has chosen.
MAX_CHARS = 1000

T = TypeVar("T")
log = logging.getLogger(__name__)


# What the absence of `errors` means, for OpenAPI: a key of a typed dictionary has no default.
NoErrors = Annotated[list[dict[str, str]], Field(json_schema_extra={"default": []})]
EXAMPLE: Any = {"example": {
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid_spec",
    "detail": "/optimizer/name: unknown optimizer 'sdg'; did you mean 'SGD'?", "request_id": "3f0c9a7be51d4286",
    "errors": [{"pointer": "/optimizer/name", "message": "unknown optimizer 'sdg'; did you mean 'SGD'?"}],
}}  # fmt: skip


@with_config(ConfigDict(extra="forbid", json_schema_extra=EXAMPLE))
class Problem(TypedDict):
    """An error (RFC 9457): a stable `code`, what is wrong, and for each fault the JSON pointer to it. `request_id` is that
    of the reply's header `Request-Id`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: NotRequired[NoErrors]  # only where single faults can be pointed at


_CONTENT = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {  # the `responses` of routes
    "4XX": {"content": _CONTENT, "description": "What is wrong with the request, and what is expected."},
    "5XX": {"content": _CONTENT, "description": "Why the service cannot answer now."},
}


def answer_for(error: Exception) -> tuple[int, str]:
    """Status and code of an error.

    Raises:
        KeyError: the table does not know it.
    """
    if isinstance(error, store.NameNotFound) and error.collection == "datasets":
        return 404, "dataset_not_found"
    for ancestor in type(error).__mro__:
        if ancestor in TABLE:
            return TABLE[ancestor]
    raise KeyError(type(error).__name__)


def error_document(error: Exception) -> dict[str, Any]:
    """What is wrong with one item of a list, for the field `error` of its schema."""
    return {"code": answer_for(error)[1], "detail": str(error)}


def damaged(schema: type[T], error: Exception, **known: Any) -> T:
    """An item of a list that cannot be read: null but for what is known, and its `error`. The rest of the list is shown."""
    return cast(T, dict.fromkeys(schema.__annotations__) | known | {"error": error_document(error)})


def problem(status: int, code: str, detail: str, faults: Sequence[Fault] = ()) -> Response:
    """A problem document."""
    document: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail[:MAX_CHARS],
        "request_id": REQUEST_ID.get(),
    }
    if faults:
        document["errors"] = [
            {"pointer": fault.pointer[:MAX_CHARS], "message": fault.message[:MAX_CHARS]}
            for fault in faults[:MOST_FAULTS]
        ]
    headers = {"Retry-After": "1"} if status in (429, 503, 507) else None
    return Response(orjson.dumps(document), status, headers, media_type=PROBLEM)


def install(app: FastAPI) -> None:
    """Registers exception handlers for every error of the table."""
    for known in TABLE:
        app.add_exception_handler(known, _handle)
    app.add_exception_handler(OSError, _handle)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(RequestValidationError, _handle_parameters)
    app.add_exception_handler(Exception, _handle_unexpected)


def answer_to(error: Exception) -> Response:
    """The response to any error, for requests that FastAPI does not handle."""
    try:
        status, code = answer_for(error)
    except KeyError:
        if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
            log.error("a file could not be used", exc_info=error)
            return _storage_error(error)
        return _internal_error(error)
    faults: Sequence[Fault] = getattr(error, "faults", ())
    in_words = isinstance(error, workflow.BrokenFiles)  # whose message says more than its faults
    answer = problem(status, code, _summary(faults) if faults and not in_words else str(error), faults)
    if isinstance(error, access.Unauthorized):
        challenge = 'Bearer error="invalid_token"' if isinstance(error, access.UnknownKey) else "Bearer"
        answer.headers["WWW-Authenticate"] = challenge
    if isinstance(error, edge.RangeNotSatisfiable):
        answer.headers["Content-Range"] = f"bytes */{error.size}"
    return answer


def answer_without_request(error: Exception) -> Response:
    """The response to a connection that is refused before its request is complete, with the header that middleware would add."""
    answer = answer_to(error)
    answer.raw_headers.append(POLICY)
    return answer


def _storage_error(error: OSError) -> Response:
    """A disk error that the code did not catch: it may be temporary."""
    try:
        with storage_errors():
            raise error
    except store.StoreError as known:
        return answer_to(known)


async def _handle(request: Request, error: Exception) -> Response:
    return answer_to(error)


def _summary(faults: Sequence[Fault]) -> str:
    first = f"{faults[0].pointer[:MAX_CHARS]}: {faults[0].message}".removeprefix(": ")
    return first if len(faults) == 1 else f"{first} (and {len(faults) - 1} more)"


async def _handle_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    detail = {404: "There is nothing at this address.", 405: "This cannot be asked here; Allow says what can."}
    made = problem(error.status_code, code, detail.get(error.status_code, str(error.detail)))
    made.headers.update(error.headers or {})
    if error.status_code == 405:
        made.headers["Allow"] = ", ".join(_allowed_methods(request))
    return made


def _allowed_methods(request: Request) -> list[str]:
    """The methods of all routes with this path; Starlette names those of one route only."""

    def fits(method: str) -> bool:
        scope = {**request.scope, "method": "GET" if method == "HEAD" else method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT") if fits(method)]


async def _disconnected(request: Request, error: Exception) -> Response:
    """The client has disconnected in the middle of its request; the response is not sent."""
    return problem(400, "invalid_request", "the request broke off")


async def _handle_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    faults = [Fault("/" + "/".join(map(str, each["loc"])), each["msg"]) for each in error.errors()[:MOST_FAULTS]]
    return problem(422, "invalid_request", "a parameter of the request is not valid", faults)


async def _handle_unexpected(request: Request, error: Exception) -> Response:
    return _internal_error(error)


def _internal_error(error: Exception) -> Response:
    log.error("unhandled exception", exc_info=error)
    return problem(500, "internal", "internal server error; see the service's log")
