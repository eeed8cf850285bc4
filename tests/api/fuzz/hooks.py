"""Hooks of schemathesis: how it sends bodies that are bytes, and which resources its cases may not delete."""

from typing import Any

import schemathesis

BYTES = (
    "application/zip",
    "application/octet-stream",
    "application/offset+octet-stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.arrow.stream",
    "application/x-npy",
    "application/x-npz",
    "video/*",
)
KEPT = ("line", "table")


@schemathesis.serializer(*BYTES)
def as_they_are(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Bytes as they are, text as UTF-8."""
    found = getattr(value, "data", value)  # schemathesis' own type for bytes
    return found if isinstance(found, bytes) else str(found).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Makes deletions hit another resource than the one all other cases use, for schemathesis takes names from
    responses. Adds the feature of `line` to a query that has none: the OpenAPI document cannot know its name."""
    if case.method == "DELETE" and case.path_parameters.get("name") in KEPT:
        case.path_parameters["name"] = "another"
    if case.method == "GET" and case.path.endswith("/predictions") and not case.query:
        case.query["x"] = "0.5"
