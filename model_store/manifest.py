"""A version's manifest as bytes: one JSON object has one encoding, so that a digest of it means something."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from model_store.errors import InvalidManifest

MAX_MANIFEST_BYTES = 64 * 1024 * 1024


def encode_manifest(manifest: Mapping[str, Any]) -> bytes:
    """The canonical bytes: keys sorted, compact, UTF-8. Raises InvalidManifest for what JSON cannot hold."""
    try:
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidManifest(
            "it holds what JSON cannot: NaN, a lone surrogate, a foreign type, or too deep a nest"
        ) from error
    _check_size(data)
    return data


def decode_manifest(data: bytes) -> dict[str, Any]:
    """The object in `data`. Raises InvalidManifest unless `data` are the canonical bytes of a JSON object."""
    _check_size(data)
    try:
        manifest = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest("it must be UTF-8 JSON without duplicate keys, NaN and Infinity") from error
    if not isinstance(manifest, dict):
        raise InvalidManifest("it must be a JSON object")
    if encode_manifest(manifest) != data:
        raise InvalidManifest("it must be canonical: keys sorted, no spaces, characters not escaped")
    return manifest


def manifest_digest(data: bytes) -> str:
    """The SHA-256 of a manifest's canonical bytes, in hex: the version's digest."""
    return hashlib.sha256(data).hexdigest()


def _check_size(data: bytes) -> None:
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidManifest(f"it may have at most {MAX_MANIFEST_BYTES} bytes")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("duplicate key")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(constant)
