"""How schemathesis sends bodies that are bytes, and how it leaves alone what is needed."""

from typing import Any

import schemathesis

BYTES = (
    "application/zip",
    "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.arrow.stream",
)
KEPT = ("line", "table")


@schemathesis.serializer(*BYTES)
def as_they_are(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Bytes, or a text as UTF-8."""
    found = getattr(value, "data", value)  # schemathesis' own type for bytes
    return found if isinstance(found, bytes) else str(found).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Deletes something else than what all other cases ask for; schemathesis would find its name in answers. And gives the
    feature of `line` to what has none in its query: the document cannot know its name."""
    if case.method == "DELETE" and case.path_parameters.get("name") in KEPT:
        case.path_parameters["name"] = "another"
    if case.method == "GET" and case.path.endswith("/predictions") and not case.query:
        case.query["x"] = "0.5"
