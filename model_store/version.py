"""One published version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Sign = Callable[[str, Mapping[str, Any]], bytes]  # from a version's digest and manifest to its signature


@dataclass(frozen=True)
class Version:
    """An immutable version of a model or data set.

    `digest` is the SHA-256 (hex) of the manifest's canonical bytes, `created_at` RFC 3339 UTC. `manifest["files"]`
    maps each file's name to its `sha256` (hex) and `bytes`.
    """

    name: str
    number: int
    digest: str
    created_at: str
    manifest: Mapping[str, Any] = field(repr=False, hash=False)
