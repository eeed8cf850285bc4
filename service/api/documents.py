"""What requests and answers look like, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from service.workflow.spec import EXAMPLE, TrainingSpec


class Problem(BaseModel):
    """An error (RFC 9457): a stable `code`, what is wrong, and for each fault the JSON pointer to it."""

    model_config = ConfigDict(json_schema_extra={"example": {
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid_spec",
        "detail": "/optimizer/name: unknown optimizer 'sdg'; did you mean 'SGD'?",
        "errors": [{"pointer": "/optimizer/name", "message": "unknown optimizer 'sdg'; did you mean 'SGD'?"}],
    }})  # fmt: skip

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] | None = None


class JobDocument(BaseModel):
    """A training job. `spec` is the resolved one: every default filled in."""

    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    progress: dict[str, Any]
    metrics: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "What is wrong with the request, and what would be right."},
    "5XX": {"model": Problem, "description": "What keeps the service from answering now."},
}

INSTANCES_EXAMPLE = {"instances": [[0.5], [0.9]]}
INSTANCES_SCHEMA = {
    "type": "object",
    "properties": {
        "instances": {
            "type": "array",
            "minItems": 1,
            "description": "rows: lists in the order of the inputs, or objects",
        },
        "inputs": {"type": "object", "description": "columns by name"},
    },
    "additionalProperties": False,
}
ALIAS_SCHEMA = {
    "type": "object",
    "properties": {"version": {"type": "integer", "minimum": 1}},
    "required": ["version"],
    "additionalProperties": False,
}


def json_body(schema: dict[str, Any], example: object) -> dict[str, Any]:
    """A JSON request body for `openapi_extra`."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def spec_body() -> dict[str, Any]:
    """The body of a training: a reference to the spec's schema, and the tutorial's line as its example."""
    return json_body({"$ref": "#/components/schemas/TrainingSpec"}, EXAMPLE)


def file_body(*media_types: str) -> dict[str, Any]:
    """A body of raw bytes."""
    examples = {"text/csv": "x,y\n0.0,0.6\n0.5,0.8\n"}
    content = {
        media_type: {"schema": {"type": "string", "format": "binary"}}
        | ({"example": examples[media_type]} if media_type in examples else {})
        for media_type in media_types
    }
    return {"requestBody": {"required": True, "content": content}}


def spec_schemas() -> dict[str, Any]:
    """The spec's schema and those of its parts, as OpenAPI components."""
    schema = TrainingSpec.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    return parts | {"TrainingSpec": schema}
