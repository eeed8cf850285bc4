"""Converts problem documents to the errors of other servers' protocols."""

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import Response

KEPT_HEADERS = ("Retry-After", "Allow", "WWW-Authenticate")
CODES = {404: "RESOURCE_DOES_NOT_EXIST", 405: "ENDPOINT_NOT_FOUND", 429: "REQUEST_LIMIT_EXCEEDED"}  # MLflow's own


def with_error(problem: Response) -> Response:
    """`{"error": …}`, for Triton, KServe and TensorFlow Serving."""
    return _converted(problem, lambda _, detail: {"error": detail})


def with_error_code(problem: Response) -> Response:
    """`{"error_code": …, "message": …}`, for MLflow."""
    return _converted(problem, lambda status, detail: {"error_code": _code(status), "message": detail})


def _converted(problem: Response, document: Callable[[int, str], dict[str, Any]]) -> Response:
    """Converts a problem document; 422 becomes 400, as these clients do not know it."""
    status = 400 if problem.status_code == 422 else problem.status_code
    headers = {name: problem.headers[name] for name in KEPT_HEADERS if name in problem.headers}
    error = document(status, orjson.loads(problem.body)["detail"])
    return Response(orjson.dumps(error), status, headers, media_type="application/json")


def _code(status: int) -> str:
    if status in CODES:
        return CODES[status]
    if status >= 500:
        return "TEMPORARILY_UNAVAILABLE" if status in (503, 504, 507) else "INTERNAL_ERROR"
    return "BAD_REQUEST"


def described(*fields: str) -> dict[int | str, dict[str, Any]]:
    """The errors of a dialect in OpenAPI: an object with these fields, which are strings."""
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in fields}, "required": list(fields)}
    content = {"application/json": {"schema": schema}}
    return {
        "4XX": {"content": content, "description": "What is wrong with the request."},
        "5XX": {"content": content, "description": "Why the service cannot answer now."},
    }
