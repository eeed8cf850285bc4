"""Seals: a digest in each row of `jobs` over what must not change unseen. Whoever changes a row by the rules seals it
anew; a row that is not what its seal says is damaged, and stays so."""

import hashlib
from collections.abc import Mapping
from typing import Any

SEALED = ("id", "model_name", "spec", "context", "priority", "created_at", "status", "attempt", "result", "error")


def seal_of(row: Mapping[Any, Any]) -> str:
    """The seal that belongs to a row. The lengths go in, too, so that nothing can move from one column to the next."""
    digest = hashlib.sha256(b"jobs")
    for name in SEALED:
        value = row.get(name)
        text = b"" if value is None else str(value).encode(errors="surrogateescape")
        digest.update(b"\n%s %d " % (name.encode(), -1 if value is None else len(text)))
        digest.update(text)
    return digest.hexdigest()


def broken(row: Mapping[Any, Any]) -> bool:
    """Whether the row is not what its seal says. Of one without a seal nothing is known."""
    return row["seal"] is not None and row["seal"] != seal_of(row)
