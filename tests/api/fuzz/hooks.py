"""How schemathesis sends bodies that are bytes."""

from typing import Any

import schemathesis

BYTES = (
    "application/zip",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.arrow.stream",
)


@schemathesis.serializer(*BYTES)
def as_they_are(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Bytes, or a text as UTF-8."""
    found = getattr(value, "data", value)  # schemathesis' own type for bytes
    return found if isinstance(found, bytes) else str(found).encode("utf-8", "surrogatepass")
