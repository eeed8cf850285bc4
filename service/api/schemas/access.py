"""Keys and the audit log."""

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.api.schemas.bodies import PATTERNS

_LINE: Any = {"example": {
    "id": "2026-11-23:412", "at": "2026-11-23T10:15:00.000000Z", "who": "ann", "key_id": "5f1c09aa27d3",
    "request_id": "3f0c9a7be51d4286", "method": "PUT", "path": "/v1/models/line/aliases/production", "client": "203.0.113.7",
    "status": 200,
    "changes": [{"what": "alias.moved", "on": "line/production", "from": 2, "to": 3}],
}}  # fmt: skip
KEY_EXAMPLE = {"name": "scraper", "scopes": ["predict"], "expires_in_days": 90}
KEY_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": PATTERNS["name"]},
        "scopes": {"type": "array", "items": {"enum": ["predict", "train", "admin"]}, "minItems": 1},
        "expires_in_days": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 36500},
    },
    "required": ["name", "scopes"],
    "additionalProperties": False,
}

# What their absence means, for OpenAPI: a key of a typed dictionary has no default.
LeftOut = Annotated[int, Field(json_schema_extra={"default": 0})]
ClientAddress = Annotated[str | None, Field(json_schema_extra={"default": None})]
LineError = Annotated[dict[str, Any] | None, Field(json_schema_extra={"default": None})]


@closed
class Key(TypedDict):
    """A key without its secret. Absent times are null. A damaged key is not accepted."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    damaged: bool


@closed
class NewKey(Key):
    """A new key. `key` is the secret, which is in this response only."""

    key: str


@with_config(ConfigDict(extra="forbid", json_schema_extra=_LINE))
class AuditLine(TypedDict):
    """An attempt at a change: its time, key, request, status, and what was changed."""

    id: str
    at: str
    who: str | None
    key_id: str | None
    request_id: str | None
    method: str | None
    path: str | None
    client: NotRequired[ClientAddress]  # not in lines of versions that did not write it
    status: int | None
    changes: list[dict[str, Any]]
    left_out: NotRequired[LeftOut]  # only where attempts before this one, by the same, have no line of their own
    error: NotRequired[LineError]  # only of a line that is damaged
