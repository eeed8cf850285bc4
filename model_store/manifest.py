"""The canonical encoding of a version's manifest: one JSON object has one sequence of bytes, and so one digest."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

from model_store.errors import InvalidManifest

MAX_MANIFEST_BYTES = 64 * 1024 * 1024
MAX_LISTS_AND_OBJECTS = 1_100_000  # each takes many times its two bytes in memory
MAX_DEPTH = 120


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
        manifest = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidManifest("it must be UTF-8 JSON without NaN, Infinity and lone surrogates") from error
    if not isinstance(manifest, dict):
        raise InvalidManifest("it must be a JSON object")
    _check_depth(manifest)
    # Also refuses what the parser accepts: duplicate keys, and whole numbers beyond 64 bits.
    if encode_manifest(manifest) != data:
        raise InvalidManifest(
            "it must be canonical: keys sorted, no duplicates, no spaces, characters not escaped, numbers of 64 bits"
        )
    return manifest


def manifest_digest(data: bytes) -> str:
    """The SHA-256 of a manifest's canonical bytes, in hex: the version's digest."""
    return hashlib.sha256(data).hexdigest()


def _check_size(data: bytes) -> None:
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidManifest(f"it may have at most {MAX_MANIFEST_BYTES} bytes")
    if data.count(b"[") + data.count(b"{") > MAX_LISTS_AND_OBJECTS:
        raise InvalidManifest(f"it may have at most {MAX_LISTS_AND_OBJECTS} lists and objects")


def _check_depth(manifest: dict[str, Any]) -> None:
    level: list[Any] = [manifest]
    for _ in range(MAX_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not level:
            return
    raise InvalidManifest(f"it must be JSON that is nested at most {MAX_DEPTH} deep")
