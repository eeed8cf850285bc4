"""Resumable uploads, and the bodies by which a bundle is imported."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.api.schemas.bodies import file_body, json_body

OFFSET_STREAM = "application/offset+octet-stream"
UPLOAD_EXAMPLE = {"upload": "5f1c09aa27d35f1c09aa27d35f1c09aa"}
UPLOAD_SCHEMA = {
    "type": "object",
    "properties": {"upload": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
    "required": ["upload"],
    "additionalProperties": False,
}


@closed
class Upload(TypedDict):
    """An upload: how many bytes it will have, how many it has, and when it is removed unless more come."""

    id: str
    length: int
    offset: int
    expires_at: str


def bundle_body() -> dict[str, Any]:
    """A bundle, or an upload that is one."""
    body = file_body("application/zip")
    of_upload = json_body(UPLOAD_SCHEMA, UPLOAD_EXAMPLE)
    body["requestBody"]["content"] |= of_upload["requestBody"]["content"]
    return body


def piece_body() -> dict[str, Any]:
    """The next bytes of an upload."""
    schema = {"type": "string", "format": "binary"}
    content = {OFFSET_STREAM: {"schema": schema, "example": "(the bytes from Upload-Offset on)"}}
    return {"requestBody": {"required": True, "content": content}}
