"""Copies of remote files on the local disk, for backends that are not a local directory themselves."""

import fcntl
import hashlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from model_store.errors import Unavailable
from model_store.os_errors import storage_errors

LOCK = ".lock"
PARTIAL = ".partial"
USED = ".used"  # an empty file beside the file; its time is that of the last use


class FileCache:
    """At most `most_bytes` bytes of files in `folder`, which threads and processes may share; the least recently used are
    evicted first. A file that is open, or being fetched, has a lock (flock) and is never evicted; a lock ends with its process.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._fetching = [threading.Lock() for _ in range(64)]  # a key has the lock that its hash chooses
        with storage_errors():
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self, key: str, size: int, fetch: Callable[[BinaryIO], None], *, fresh: bool = False) -> Iterator[Path]:
        """The file with this key, for the time of the `with` block; fetched when it is not there yet.

        Args:
            key: names one content for ever, such as a remote key together with its ETag.
            size: of the file in bytes.
            fetch: writes the file's content. One thread of a process fetches a key, the others wait for it.
            fresh: whether the file is fetched again, although it is there.

        Raises:
            Unavailable: what was fetched has another size, or there is no room beside the files that are open.
            NoSpace: the disk is full.
        """
        path = self._folder / hashlib.sha256(key.encode()).hexdigest()
        with storage_errors():
            descriptor = None if fresh else _open_locked(path)
            if descriptor is None:
                with self._fetching[hash(key) % len(self._fetching)]:
                    descriptor = None if fresh else _open_locked(path)
                    while descriptor is None:
                        descriptor = self._fetch(path, size, fetch)
        try:
            yield path
        finally:
            os.close(descriptor)

    def _fetch(self, path: Path, size: int, fetch: Callable[[BinaryIO], None]) -> int | None:
        """A locked descriptor of the file once it was fetched; None when it was evicted before it had its lock."""
        partial = self._folder / f"{uuid.uuid4().hex}{PARTIAL}"
        descriptor = self._reserve(partial, size)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                fetch(file)
                if file.tell() != size:
                    raise Unavailable("A file was not fetched whole.")
                file.flush()
                os.fsync(file.fileno())
            with self._locked():
                partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        return _share(descriptor, path)

    def _reserve(self, partial: Path, size: int) -> int:
        """A locked descriptor of a new file of this size, once there is room for it."""
        with self._locked():
            self._make_room(size)
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.truncate(descriptor, size)
            return descriptor

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """While no other thread or process adds, renames or evicts a file."""
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _make_room(self, size: int) -> None:
        if size > self._most_bytes:
            raise Unavailable(f"A file of {size} bytes does not fit into the cache of {self._most_bytes} bytes.")
        files = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # removed by a fetch that failed
                about = path.stat()
                if path.suffix == USED:
                    _remove_if_alone(path)
                else:
                    files.append((path.suffix != PARTIAL, _last_use(path, about), about.st_size, path))
        used = sum(length for _, _, length, _ in files)
        for whole, _, length, path in sorted(files):
            if (used + size > self._most_bytes or not whole) and path.name != LOCK and _remove_unused(path):
                used -= length
        if used + size > self._most_bytes:
            raise Unavailable("There is no room in the cache of files beside those that are in use.")


def _open_locked(path: Path) -> int | None:
    """A descriptor of the file with a shared lock; None when there is no such file."""
    try:
        return _share(os.open(path, os.O_RDONLY), path)
    except FileNotFoundError:
        return None


def _share(descriptor: int, path: Path) -> int | None:
    """The descriptor with a shared lock; closed, and None, when the file was evicted or replaced before it had that."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            with suppress(OSError):  # without it the file is evicted sooner
                path.with_suffix(USED).touch()  # the file's own times stay, by which `KnownDigests` knows it again
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _remove_unused(path: Path) -> bool:
    """Removes the file unless it is locked, and says whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        path.unlink(missing_ok=True)
        path.with_suffix(USED).unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def _last_use(path: Path, about: os.stat_result) -> float:
    """In seconds since 1970; when the file was fetched, if it was not used again."""
    try:
        return max(about.st_mtime, path.with_suffix(USED).stat().st_mtime)
    except FileNotFoundError:
        return about.st_mtime


def _remove_if_alone(used: Path) -> None:
    """Removes what belongs to a file that is not there: it was removed by other means."""
    if not used.with_suffix("").exists():
        used.unlink(missing_ok=True)
