"""A backend on an object store: S3, Google Cloud Storage or Azure Blob Storage, by obstore."""

import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from model_store.backends.backend import Backend
from model_store.backends.object_errors import status_of
from model_store.backends.object_requests import ObjectRequests
from model_store.errors import ObjectExists, ObjectNotFound, Unavailable
from model_store.file_cache import FileCache
from model_store.os_errors import storage_errors

TEMPORARY = "tmp"
WRITER = "writer"
SMALL = 2**18  # bytes that are sent or read by a small request, at most
PIECE = 8 * 2**20  # bytes of one request, where a file has more
MOST_PIECES = 9000  # S3 allows 10,000 parts of an upload
CACHE_BYTES = 20 * 2**30


class About(NamedTuple):
    """An object's size in bytes, and its entity tag, which changes with its content."""

    size: int
    tag: str


class ObjectBackend(Backend):
    """Objects under `<prefix>/<key>` of a bucket, with put-if-absent, get, ranged get, list and delete alone. Thread-safe.

    What has to be a local file is fetched into `cache`. A failed request is repeated for some seconds (`ObjectRequests`). So a
    write whose answer was lost may find its own object; it knows it by the metadata `writer`.
    """

    def __init__(self, place: str, small: Any, large: Any, cache: FileCache | None = None) -> None:
        """Called by `open_objects`.

        Args:
            place: names bucket and prefix in the cache.
            small: obstore's store for small requests.
            large: the same for pieces of files.
            cache: of fetched files; a temporary one if None, removed with the backend.
        """
        self._place = place
        self._small = small
        self._large = large
        self._requests = ObjectRequests()
        self._cache = cache or self._temporary_cache()

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises ObjectNotFound."""
        return self._requests.run("read", lambda: bytes(obstore.get(self._small, key).bytes()))

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """The bytes of `key` from `start` up to `stop`, which is excluded. Raises ObjectNotFound."""
        store = self._of(stop - start)

        def get() -> bytes:
            try:
                return bytes(obstore.get_range(store, key, start=start, end=stop))
            except BaseError as error:
                # It ends before `start`. Azurite answers 206 to some of these, with a range that cannot be parsed.
                if status_of(error) == 416 or obstore.head(self._small, key)["size"] <= start:
                    return b""
                raise

        return self._requests.run("read", get)

    def create(self, key: str, data: bytes) -> None:
        """Put `data` at `key` if nothing is there. Raises ObjectExists."""
        self._create(self._of(len(data)), key, data)

    def replace(self, key: str, data: bytes) -> None:
        """Put `data` at `key`, whatever is there."""
        store, parts = self._of(len(data)), len(data) > PIECE
        self._requests.run("write", lambda: obstore.put(store, key, data, use_multipart=parts, chunk_size=PIECE))

    def create_file(self, key: str, source: Path) -> None:
        """Upload `source` and unlink it. Raises ObjectExists.

        One that is larger than `PIECE` goes up in parts. The stores complete such an upload without a condition, so it is looked
        before whether there is something: of two that upload to one key at the same time the later one stays. The keys of
        files are new, or named after their content.
        """
        with storage_errors():
            if source.is_symlink() or not source.is_file():
                raise Unavailable("Only a regular file can be moved into the store.")
            size = source.stat().st_size
            if size <= PIECE:
                self.create(key, source.read_bytes())
            else:
                self._upload(key, source, size)
            source.unlink()

    def names(self, prefix: str) -> list[str]:
        """The sorted names directly under `prefix`."""
        found = self._requests.run("list", lambda: obstore.list_with_delimiter(self._small, prefix))
        start = f"{prefix}/"
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return sorted({path.removeprefix(start) for path in paths if path.startswith(start)})

    def delete(self, prefix: str) -> None:
        """Delete the objects one by one. After a failure some may be left, and the deletion can be repeated."""
        for path in [*(each["path"] for each in self._below(prefix)), prefix]:
            with suppress(ObjectNotFound):  # S3 says nothing of it, others do
                self._delete(path)

    @contextmanager
    def local_file(self, key: str, *, fresh: bool = False) -> Iterator[Path]:
        """A copy in the cache, which knows it by its entity tag. Raises ObjectNotFound."""
        about = self._about(key)

        def fetch(file: BinaryIO) -> None:
            for start in range(0, about.size, PIECE):
                file.write(self._piece(key, start, about))

        with self._cache.open(f"{self._place}/{key}@{about.tag}", about.size, fetch, fresh=fresh) as path:
            yield path

    def clear_temporary(self, older_than_seconds: float) -> None:
        """Remove what checks that broke off have left."""
        limit = time.time() - older_than_seconds
        for each in self._below(TEMPORARY):
            if each["last_modified"].timestamp() <= limit:
                self.delete(each["path"])

    def _of(self, size: int) -> Any:
        """The obstore for a request that sends or reads that many bytes."""
        return self._small if size <= SMALL else self._large

    def _delete(self, key: str) -> None:
        self._requests.run("delete", lambda: obstore.delete(self._small, key))

    def _create(self, store: Any, key: str, data: bytes) -> None:
        writer = {WRITER: uuid.uuid4().hex}

        def put() -> None:
            try:
                obstore.put(store, key, data, mode="create", use_multipart=False, attributes=writer)
            except AlreadyExistsError:
                try:
                    there = obstore.get(self._small, key, options={"head": True}).attributes
                except FileNotFoundError:  # a conflict with a write that failed, or with a deletion: it is repeated
                    raise PreconditionError from None
                if there.get(WRITER) != writer[WRITER]:
                    raise ObjectExists from None

        self._requests.run("write", put)

    def _upload(self, key: str, source: Path, size: int) -> None:
        with suppress(ObjectNotFound):
            self._about(key)
            raise ObjectExists
        part = max(PIECE, -(-size // MOST_PIECES))

        def put() -> None:
            obstore.put(self._large, key, source, use_multipart=True, chunk_size=part, max_concurrency=4)

        self._requests.run("write", put, repeat=False)

    def _about(self, key: str) -> About:
        def head() -> About:
            try:
                found = obstore.head(self._small, key)
            except FileNotFoundError:  # perhaps the bucket: an answer without a body does not say
                obstore.get(self._small, key)
                raise
            return About(found["size"], found["e_tag"] or f"{found['last_modified']}")

        return self._requests.run("read", head)

    def _piece(self, key: str, start: int, about: About) -> bytes:
        length = min(PIECE, about.size - start)

        def get() -> bytes:
            return bytes(obstore.get_range(self._large, key, start=start, length=length))

        piece = self._requests.run("read", get, repeat=False)
        if len(piece) != length:
            raise Unavailable("A file was not fetched whole.")
        return piece

    def _below(self, prefix: str) -> list[Any]:
        """What there is below `prefix`, as obstore describes objects."""
        return self._requests.run("list", lambda: [each for page in obstore.list(self._small, prefix) for each in page])

    def _temporary_cache(self) -> FileCache:
        with storage_errors():
            folder = Path(tempfile.mkdtemp(prefix="model-store-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return FileCache(folder, CACHE_BYTES)
