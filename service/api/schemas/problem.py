"""The schema of errors."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from service.api.problems import PROBLEM


class Problem(BaseModel):
    """An error (RFC 9457): a stable `code`, what is wrong, and for each fault the JSON pointer to it. `request_id` is that
    of the reply's header `Request-Id`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid_spec",
        "detail": "/optimizer/name: unknown optimizer 'sdg'; did you mean 'SGD'?", "request_id": "3f0c9a7be51d4286",
        "errors": [{"pointer": "/optimizer/name", "message": "unknown optimizer 'sdg'; did you mean 'SGD'?"}],
    }})  # fmt: skip

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, str]] = []  # only where single faults can be pointed at


_CONTENT = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"content": _CONTENT, "description": "What is wrong with the request, and what would be right."},
    "5XX": {"content": _CONTENT, "description": "What keeps the service from answering now."},
}
