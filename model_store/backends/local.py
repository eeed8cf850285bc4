"""A backend on a local directory: `<root>/<key>`, with temporary files in `<root>/tmp`."""

import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store.backends.backend import Backend
from model_store.durable_files import sync
from model_store.errors import ObjectExists, ObjectNotFound, Unavailable
from model_store.os_errors import storage_errors

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_KNOWN_FOLDERS = 4096


class LocalBackend(Backend):
    """One file a key. Writers never show a partial file: they write to `tmp`, fsync, then link or rename, then fsync
    the folder. A failed fsync is an error and never tried again. Safe for threads, and for processes on one machine.
    """

    def __init__(self, root: Path) -> None:
        """Make `root` when it is not there. Raises NoSpace and Unavailable."""
        self._root = root.absolute()
        self._temporary = self._root / "tmp"
        self._known: set[Path] = set()
        with storage_errors():
            if not self._root.is_dir():
                self._root.mkdir(parents=True, exist_ok=True)
                sync(self._root.parent)
            self._make_folder(self._temporary)

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises ObjectNotFound."""
        with storage_errors():
            try:
                return self._path(key).read_bytes()
            except _ABSENT:
                self._check_root()
                raise ObjectNotFound from None

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """The bytes of `key` from `start` up to `stop`, which is excluded. Raises ObjectNotFound."""
        with storage_errors():
            try:
                with self._path(key).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    file.seek(min(start, size))  # a file system refuses what is too large for its files
                    return file.read(max(0, min(stop, size) - start))  # `read` allocates as much as it is asked for
            except _ABSENT:
                self._check_root()
                raise ObjectNotFound from None

    def create(self, key: str, data: bytes) -> None:
        """Put `data` at `key` if nothing is there. Raises ObjectExists."""
        with storage_errors(), self._written(data) as temporary:
            self._link(temporary, self._path(key))

    def replace(self, key: str, data: bytes) -> None:
        """Put `data` at `key`, whatever is there."""
        target = self._path(key)
        with storage_errors(), self._written(data) as temporary:
            self._make_folder(target.parent)
            temporary.rename(target)
            sync(target.parent)

    def create_file(self, key: str, source: Path) -> None:
        """Link `source` to `key` and unlink it; copied when it lies on another file system. Raises ObjectExists."""
        target = self._path(key)
        with storage_errors():
            if source.is_symlink() or not source.is_file():
                raise Unavailable("Only a regular file can be moved into the store.")
            try:
                sync(source)
                self._link(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(source, target)
            source.unlink()

    def names(self, prefix: str) -> list[str]:
        """The sorted names directly under `prefix`."""
        with storage_errors():
            try:
                return sorted(os.listdir(self._path(prefix)))  # noqa: PTH208 - names alone, without a Path for each
            except _ABSENT:
                self._check_root()
                return []

    def delete(self, prefix: str) -> None:
        """Rename it away at once, then remove it piece by piece; what a crash leaves is temporary."""
        target = self._path(prefix)
        trash = self._temporary / uuid.uuid4().hex
        with storage_errors():
            try:
                target.rename(trash)
            except _ABSENT:
                return
            sync(target.parent)
            _remove(trash)

    @contextmanager
    def local_file(self, key: str, *, fresh: bool = False) -> Iterator[Path]:
        """The stored file itself: do not write to it. Raises ObjectNotFound."""
        path = self._path(key)
        with storage_errors():
            try:
                found = stat.S_ISREG(path.stat().st_mode)
            except _ABSENT:
                found = False
        if not found:
            self._check_root()
            raise ObjectNotFound
        yield path

    def clear_temporary(self, older_than_seconds: float) -> None:
        """Remove files in `tmp` that were last changed longer ago than that."""
        limit = time.time() - older_than_seconds
        with storage_errors():
            for path in self._temporary.iterdir():
                try:
                    if path.lstat().st_mtime <= limit:
                        _remove(path)
                except FileNotFoundError:
                    continue  # its writer, or another sweep, was faster

    def _check_root(self) -> None:
        """Raises Unavailable when the store itself is gone, so that its content does not appear deleted."""
        if not self._temporary.is_dir():
            raise Unavailable("The folder of the store does not exist.")

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0] == "tmp":
            raise ValueError("not a key of the store")
        return self._root.joinpath(*parts)

    @contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        """A durable temporary file with `data`, gone at the end unless it was renamed."""
        temporary = self._temporary / uuid.uuid4().hex
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> None:
        temporary = self._temporary / uuid.uuid4().hex
        try:
            shutil.copyfile(source, temporary)
            sync(temporary)
            self._link(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _link(self, source: Path, target: Path) -> None:
        self._make_folder(target.parent)
        try:
            os.link(source, target)
        except FileExistsError:
            raise ObjectExists from None
        try:
            sync(target.parent)
        except OSError:
            target.unlink(missing_ok=True)  # not durable, so it must not be seen
            raise

    def _make_folder(self, folder: Path) -> None:
        """Make `folder` and its parents below the root durably.

        A folder that this object has not created is synced even when it exists: its creator may not have done so yet.
        """
        for path in [*reversed(folder.parents), folder]:
            if not path.is_relative_to(self._root) or path == self._root:
                continue
            try:
                path.mkdir()
            except FileExistsError:
                if path in self._known:
                    continue
            sync(path.parent)
            if len(self._known) >= _KNOWN_FOLDERS:
                self._known.clear()
            self._known.add(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # the next sweep tries again
    else:
        path.unlink(missing_ok=True)
