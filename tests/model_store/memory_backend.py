"""A backend in memory; like a remote one, it fetches files into a cache on the disk."""

import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model_store.backends.backend import Backend
from model_store.errors import ObjectExists, ObjectNotFound
from model_store.file_cache import FileCache


class MemoryBackend(Backend):
    """Keeps all objects in one dictionary. Thread-safe. `fetched` counts the fetches."""

    def __init__(self, most_cached_bytes: int = 2**20) -> None:
        self._contents: dict[str, bytes] = {}
        self._lock = threading.Lock()
        folder = Path(tempfile.mkdtemp(prefix="model-store-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._cache = FileCache(folder, most_cached_bytes)
        self.fetched = 0

    def read(self, key: str) -> bytes:
        """Return the content of `key`. Raises ObjectNotFound."""
        with self._lock:
            return self._at(key)

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """Return the bytes of `key` from `start` up to `stop`, which is excluded. Raises ObjectNotFound."""
        with self._lock:
            return self._at(key)[start:stop]

    def create(self, key: str, data: bytes) -> None:
        """Write `data` at `key`. Raises ObjectExists."""
        with self._lock:
            if key in self._contents:
                raise ObjectExists
            self._contents[key] = bytes(data)

    def replace(self, key: str, data: bytes) -> None:
        """Write `data` at `key`, replacing what exists."""
        with self._lock:
            self._contents[key] = bytes(data)

    def keys(self, end: str) -> list[str]:
        """The keys with this suffix."""
        with self._lock:
            return [key for key in self._contents if key.endswith(end)]

    def create_file(self, key: str, source: Path) -> None:
        """Move the file `source` to `key`. Raises ObjectExists."""
        self.create(key, source.read_bytes())
        source.unlink()

    def names(self, prefix: str) -> list[str]:
        """Return the sorted names directly under `prefix`."""
        start = prefix + "/"
        with self._lock:
            return sorted({key[len(start) :].split("/")[0] for key in self._contents if key.startswith(start)})

    def delete(self, prefix: str) -> None:
        """Remove the key `prefix` and all keys below it."""
        with self._lock:
            for key in [key for key in self._contents if key == prefix or key.startswith(prefix + "/")]:
                del self._contents[key]

    @contextmanager
    def local_file(self, key: str, *, fresh: bool = False) -> Iterator[Path]:
        """A copy in the cache, removed with the backend. Raises ObjectNotFound."""
        data = self.read(key)

        def fetch(file: BinaryIO) -> None:
            self.fetched += 1
            file.write(data)

        etag = hashlib.sha256(data).hexdigest()
        with self._cache.open(f"{key}@{etag}", len(data), fetch, fresh=fresh) as path:
            yield path

    def clear_temporary(self, older_than_seconds: float) -> None:
        """Do nothing: there are no temporary files in memory."""

    def _at(self, key: str) -> bytes:
        try:
            return self._contents[key]
        except KeyError:
            raise ObjectNotFound from None
