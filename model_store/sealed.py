"""Small stored objects with a digest of their key and content, by which changed and exchanged ones are detected."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from model_store.errors import MadeByNewer

FORMAT = 1


def seal(key: str, fields: Mapping[str, Any]) -> bytes:
    """`fields` as they are stored at `key`: JSON with their `format` and `seal`.

    The seal covers the key, and so the collection, name, kind and number. It is the same for every format, so that an object
    of a newer Modelwright is not taken for a damaged one.
    """
    body = {**fields, "format": FORMAT}
    return json.dumps({**body, "seal": seal_of(key, body)}, sort_keys=True).encode()


def unseal(key: str, data: bytes) -> tuple[dict[str, Any], bool]:
    """The fields that are stored at `key`, and whether they are sealed, which those of earlier Modelwrights are not.

    Raises ValueError when `data` are not what was sealed for this key; MadeByNewer.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("not an object of the store") from error
    if not isinstance(fields, dict):
        raise ValueError("not an object of the store")
    if "seal" not in fields:
        if "format" in fields:  # it came with seals, so the seal was lost
            raise ValueError("not what was sealed")
        return fields, False
    if fields.pop("seal") != seal_of(key, fields):
        raise ValueError("not what was sealed")
    if fields.pop("format") != FORMAT:
        raise MadeByNewer(key)
    return fields, True


def seal_of(key: str, body: Mapping[str, Any]) -> str:
    """The seal, 64 hex digits, of an object that lies at `key`."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
