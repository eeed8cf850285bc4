"""One published version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_store.errors import ObjectNotFound

Sign = Callable[[str, Mapping[str, Any]], bytes]  # from a version's digest and manifest to its signature


@dataclass(frozen=True)
class Version:
    """An immutable version of a model or data set.

    `digest` is the SHA-256 (hex) of the manifest's canonical bytes, `created_at` RFC 3339 UTC. `manifest["files"]`
    maps each file's name to its `sha256` (hex) and `bytes`. `content` is the id under which its files are stored.
    """

    name: str
    number: int
    digest: str
    created_at: str
    manifest: Mapping[str, Any] = field(repr=False, hash=False)
    content: str = field(repr=False)

    def file(self, name: str) -> Mapping[str, Any]:
        """What the manifest says of this file. Raises ObjectNotFound."""
        if name not in self.manifest["files"]:
            raise ObjectNotFound("The version has no such file.")
        described: Mapping[str, Any] = self.manifest["files"][name]
        return described
