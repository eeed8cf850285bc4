"""The content of versions: a manifest and files under an id, written before the record that refers to them."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_store.backends.backend import Backend
from model_store.checked_files import CheckedFiles
from model_store.errors import ContentDamaged, InvalidManifest, ObjectNotFound
from model_store.manifest import decode_manifest, manifest_digest
from model_store.os_errors import storage_errors
from model_store.record import is_content

MANIFEST = "manifest.json"
WRONG_SIZE = "does not have the size that was published"


def new_content_id(now: datetime) -> str:
    """A random id of 32 hex digits that begins with the milliseconds since 1970, which give its age."""
    return f"{int(now.timestamp() * 1000):012x}{uuid.uuid4().hex[:20]}"


def content_made_at(content: str) -> datetime:
    """When `new_content_id` made this id, to the millisecond."""
    return datetime.fromtimestamp(int(content[:12], 16) / 1000, UTC)


def describe_file(path: Path) -> dict[str, Any]:
    """What a manifest says of a file: `sha256` (hex) and `bytes`."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": file.tell()}


class Contents:
    """All contents of one name: `<prefix>/contents/<id>/manifest.json` and `.../files/<file name>`."""

    def __init__(self, backend: Backend, prefix: str, checked: CheckedFiles) -> None:
        self._backend = backend
        self._checked = checked
        self._prefix = f"{prefix}/contents"

    def write(self, content: str, manifest: bytes, files: Mapping[str, Path]) -> None:
        """Move `files` in, then write the manifest. Raises NoSpace and Unavailable; a part may then be there."""
        for file, source in files.items():
            self._backend.create_file(self._file_key(content, file), source)
        self._backend.create(self._manifest_key(content), manifest)

    def manifest(self, content: str, digest: str) -> dict[str, Any]:
        """The manifest, whose bytes must have this digest. Raises ContentDamaged."""
        try:
            data = self._backend.read(self._manifest_key(content))
            if manifest_digest(data) != digest:
                raise ContentDamaged(MANIFEST, "does not have the digest that was published")
            return decode_manifest(data)
        except ObjectNotFound:
            raise ContentDamaged(MANIFEST, "is missing") from None
        except InvalidManifest as error:
            raise ContentDamaged(MANIFEST, "is not a manifest") from error

    @contextmanager
    def local_file(self, content: str, file: str, expected: Mapping[str, Any], *, read: bool = False) -> Iterator[Path]:
        """The file on the local disk, which must have the size and SHA-256 of `expected`. It is not read if this process has
        checked it before and it has not changed since; with `read` it is, always.

        Raises ContentDamaged, and Unavailable when it cannot be read.
        """
        key = self._file_key(content, file)
        with ExitStack() as stack:
            with storage_errors():
                try:
                    path = stack.enter_context(self._backend.local_file(key))
                    if self._damage(path, expected, read) is not None:  # perhaps of a copy only
                        stack.close()
                        path = stack.enter_context(self._backend.local_file(key, fresh=True))
                        if (reason := self._damage(path, expected, read)) is not None:
                            raise ContentDamaged(file, reason)
                except (ObjectNotFound, FileNotFoundError):
                    raise ContentDamaged(file, "is missing") from None
            yield path

    def read_range(self, content: str, file: str, expected: Mapping[str, Any], start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, or up to the end, of a file with the size of `expected`; nothing but their number
        is checked. Raises ContentDamaged and Unavailable.
        """
        stop = min(stop, expected["bytes"])
        if start >= stop:
            return b""
        try:
            data = self._backend.read_range(self._file_key(content, file), start, stop)
        except ObjectNotFound:
            raise ContentDamaged(file, "is missing") from None
        if len(data) != stop - start:
            raise ContentDamaged(file, WRONG_SIZE)
        return data

    def ids(self) -> list[str]:
        """The ids of all contents, the oldest first."""
        return [name for name in self._backend.names(self._prefix) if is_content(name)]

    def delete(self, content: str) -> None:
        """Remove one content; nothing happens when it is not there."""
        self._backend.delete(f"{self._prefix}/{content}")

    def _damage(self, path: Path, expected: Mapping[str, Any], read: bool) -> str | None:
        if path.stat().st_size != expected["bytes"]:
            return WRONG_SIZE
        whole = self._checked.sha256(path, read=read) == expected["sha256"]
        return None if whole else "does not have the SHA-256 that was published"

    def _manifest_key(self, content: str) -> str:
        return f"{self._prefix}/{content}/{MANIFEST}"

    def _file_key(self, content: str, file: str) -> str:
        return f"{self._prefix}/{content}/files/{file}"
