"""The files of all versions, each stored once under its SHA-256."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model_store.backends.backend import Backend
from model_store.checked_file import checked_file
from model_store.errors import ContentDamaged, ObjectExists, ObjectNotFound, Unavailable
from model_store.known_digests import KnownDigests
from model_store.os_errors import storage_errors

PREFIX = "blobs"

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    """Whether this may be the SHA-256 of a blob, in hex."""
    return _DIGEST.fullmatch(name) is not None


class Blobs:
    """Files at `blobs/<sha256>`, whichever versions of whichever collections have them.

    Those of a deleted version stay until a sweep finds that no manifest names them (`blob_sweep`).
    """

    def __init__(self, backend: Backend, digests: KnownDigests | None = None) -> None:
        self._backend = backend
        self._known = digests or KnownDigests()

    def key(self, digest: str) -> str:
        """The key of the blob with this SHA-256. Raises ObjectNotFound for what is none."""
        if not is_digest(digest):
            raise ObjectNotFound
        return f"{PREFIX}/{digest}"

    def put(self, expected: Mapping[str, Any], source: Path) -> None:
        """Move `source`, which has the size and SHA-256 of `expected`, in. A blob that is there is read, and replaced if it is
        damaged, which takes its size in memory.
        """
        key = self.key(expected["sha256"])
        try:
            with self.local_file("", expected, read=True):
                pass
        except ObjectNotFound:
            try:
                self._backend.create_file(key, source)
            except ObjectExists:  # another publish was faster; what it created is whole
                self._remove(source)
        except ContentDamaged:
            with storage_errors():
                data = source.read_bytes()
            if hashlib.sha256(data).hexdigest() != expected["sha256"]:
                raise Unavailable("A file has changed while it was published.") from None
            self._backend.replace(key, data)  # at once, as other versions have it, too
            self._remove(source)
        else:
            self._remove(source)

    @contextmanager
    def local_file(self, file: str, expected: Mapping[str, Any], *, read: bool) -> Iterator[Path]:
        """The blob with the SHA-256 of `expected` on the local disk; with `read` it is read, though it was checked before. Raises
        ObjectNotFound, ContentDamaged, Unavailable.
        """
        key = self.key(expected["sha256"])
        with checked_file(self._backend, key, file, expected, self._known, read=read) as path:
            yield path

    def digests(self) -> set[str]:
        """The SHA-256 of each blob."""
        return {name for name in self._backend.names(PREFIX) if is_digest(name)}

    def delete(self, digest: str) -> None:
        """Remove one; nothing happens when it is not there."""
        self._backend.delete(self.key(digest))

    def _remove(self, source: Path) -> None:
        with suppress(OSError):  # what is left is the caller's
            source.unlink()
