"""The content of versions: a manifest under an id, written before the record that refers to it, and the files it names."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from model_store.backends.backend import Backend
from model_store.blobs import Blobs, is_digest
from model_store.checked_file import WRONG_SIZE, checked_file
from model_store.content_id import is_content
from model_store.errors import ContentDamaged, InvalidManifest, ObjectNotFound
from model_store.known_digests import KnownDigests
from model_store.manifest import decode_manifest, manifest_digest
from model_store.removals import Removals

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
MISSING = "is missing"


class Contents:
    """All contents of one name: `<prefix>/contents/<id>/manifest.json`, whose files are blobs, and `.../signature.json` if the
    version is signed. The store knows a signature as bytes only, and no digest covers it: whoever trusts it verifies it.

    A file is at `.../files/<file name>` instead when its blob was about to be removed when it was published, and in what
    earlier Modelwrights wrote.
    """

    def __init__(self, backend: Backend, prefix: str, removals: Removals, digests: KnownDigests) -> None:
        self._backend = backend
        self._prefix = f"{prefix}/contents"
        self._blobs = Blobs(backend, digests)
        self._digests = digests
        self._removals = removals

    def write(self, content: str, manifest: bytes, described: Mapping[str, Any], files: Mapping[str, Path]) -> None:
        """Write the manifest, then move `files` in, which are `described` there. Raises NoSpace and Unavailable; a part may
        then be there.

        The manifest comes first: from then on no sweep removes a blob that it names, unless it has announced that before.
        """
        self._backend.create(self._manifest_key(content), manifest)
        announced = self._removals.announced()
        for file, source in files.items():
            if described[file]["sha256"] in announced:
                self._backend.create_file(self._file_key(content, file), source)
            else:
                self._blobs.put(described[file], source)

    def is_kept(self, content: str) -> bool:
        """Whether it is there, and no sweep that has begun removes it."""
        if content in self._removals.announced():
            return False
        return MANIFEST in self._backend.names(f"{self._prefix}/{content}")

    def sign(self, content: str, signature: bytes) -> None:
        """Put `signature` beside the manifest, in place of one that is there."""
        self._backend.replace(self._signature_key(content), signature)

    def signature(self, content: str) -> bytes | None:
        """The signature; None when there is none."""
        try:
            return self._backend.read(self._signature_key(content))
        except ObjectNotFound:
            return None

    def manifest(self, content: str, digest: str) -> dict[str, Any]:
        """The manifest, whose bytes must have this digest. Raises ContentDamaged."""
        try:
            return decode_manifest(self._manifest_bytes(content, digest))
        except ObjectNotFound:
            raise ContentDamaged(MANIFEST, MISSING) from None
        except InvalidManifest as error:
            raise ContentDamaged(MANIFEST, "is not a manifest") from error

    def blobs(self, content: str, digest: str | None) -> frozenset[str]:
        """The SHA-256 of each file that the manifest names. Its digest is checked unless it is None.

        Raises ContentDamaged, and ObjectNotFound when there is no manifest.
        """
        data = self._manifest_bytes(content, digest)
        try:
            found = frozenset(each["sha256"] for each in orjson.loads(data)["files"].values())
            if all(map(is_digest, found)):
                return found
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ContentDamaged(MANIFEST, "is not a manifest") from error
        raise ContentDamaged(MANIFEST, "is not a manifest")

    @contextmanager
    def local_file(self, content: str, file: str, expected: Mapping[str, Any], *, read: bool = False) -> Iterator[Path]:
        """The file on the local disk, which must have the size and SHA-256 of `expected`. It is not read if this process has
        checked it before and it has not changed since; with `read` it is, always.

        Raises ContentDamaged, and Unavailable when it cannot be read.
        """
        damage = ContentDamaged(file, MISSING)
        with ExitStack() as stack:
            for opened in (self.blob(file, expected, read=read), self.own_file(content, file, expected, read=read)):
                try:
                    path = stack.enter_context(opened)
                    break
                except ObjectNotFound:
                    continue
                except ContentDamaged as error:
                    damage = error
            else:
                raise damage
            yield path

    def blob(self, file: str, expected: Mapping[str, Any], *, read: bool) -> AbstractContextManager[Path]:
        """The blob of the file. Raises ObjectNotFound, ContentDamaged, Unavailable when it is entered."""
        return self._blobs.local_file(file, expected, read=read)

    def own_file(
        self, content: str, file: str, expected: Mapping[str, Any], *, read: bool
    ) -> AbstractContextManager[Path]:
        """The file that this content alone has. Raises as `blob` does."""
        return checked_file(self._backend, self._file_key(content, file), file, expected, self._digests, read=read)

    def read_range(self, content: str, file: str, expected: Mapping[str, Any], start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, or up to the end, of a file with the size of `expected`; nothing but their number
        is checked. Raises ContentDamaged and Unavailable.
        """
        stop, damage = min(stop, expected["bytes"]), MISSING
        if start >= stop:
            return b""
        for key in (self._blobs.key(expected["sha256"]), self._file_key(content, file)):
            with suppress(ObjectNotFound):
                data = self._backend.read_range(key, start, stop)
                if len(data) == stop - start:
                    return data
                damage = WRONG_SIZE
        raise ContentDamaged(file, damage)

    def ids(self) -> list[str]:
        """The ids of all contents, the oldest first."""
        return [name for name in self._backend.names(self._prefix) if is_content(name)]

    def delete(self, content: str) -> None:
        """Remove one content, but not its blobs; nothing happens when it is not there."""
        self._backend.delete(f"{self._prefix}/{content}")

    def _manifest_bytes(self, content: str, digest: str | None) -> bytes:
        data = self._backend.read(self._manifest_key(content))
        if digest is not None and manifest_digest(data) != digest:
            raise ContentDamaged(MANIFEST, "does not have the digest that was published")
        return data

    def _manifest_key(self, content: str) -> str:
        return f"{self._prefix}/{content}/{MANIFEST}"

    def _signature_key(self, content: str) -> str:
        return f"{self._prefix}/{content}/{SIGNATURE}"

    def _file_key(self, content: str, file: str) -> str:
        return f"{self._prefix}/{content}/files/{file}"
