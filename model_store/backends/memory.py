"""A backend in memory: for tests, comparison and throw-away stores."""

import shutil
import tempfile
import threading
import uuid
import weakref
from pathlib import Path

from model_store.backends.backend import Backend
from model_store.errors import KeyExists, KeyNotFound


class MemoryBackend(Backend):
    """Keeps everything in one dictionary; nothing outlives the object. Safe for threads."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._folder: Path | None = None

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises KeyNotFound."""
        with self._lock:
            return self._at(key)

    def create(self, key: str, data: bytes) -> None:
        """Put `data` at `key` if nothing is there. Raises KeyExists."""
        with self._lock:
            if key in self._contents:
                raise KeyExists
            self._contents[key] = bytes(data)

    def replace(self, key: str, data: bytes) -> None:
        """Put `data` at `key`, whatever is there."""
        with self._lock:
            self._contents[key] = bytes(data)

    def create_file(self, key: str, source: Path) -> None:
        """Take the content of `source` and remove it. Raises KeyExists."""
        self.create(key, source.read_bytes())
        source.unlink()

    def names(self, prefix: str) -> list[str]:
        """The sorted names directly under `prefix`."""
        start = prefix + "/"
        with self._lock:
            return sorted({key[len(start) :].split("/")[0] for key in self._contents if key.startswith(start)})

    def delete(self, prefix: str) -> None:
        """Remove the key `prefix` and all below it."""
        with self._lock:
            for key in [key for key in self._contents if key == prefix or key.startswith(prefix + "/")]:
                del self._contents[key]

    def local_path(self, key: str) -> Path:
        """A new file in a folder that goes when the backend goes. Raises KeyNotFound."""
        with self._lock:
            data = self._at(key)
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="model-store-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / uuid.uuid4().hex
        path.write_bytes(data)
        return path

    def clear_temporary(self, older_than_seconds: float) -> None:
        """Nothing is ever left behind in memory."""

    def _at(self, key: str) -> bytes:
        try:
            return self._contents[key]
        except KeyError:
            raise KeyNotFound from None
