"""Resumable uploads: files that clients send piece by piece, kept in the home until they are imported, deleted or a day old.

All state is on the disk, so that it survives a restart and is the same for every process of the service: an upload is a
folder with `about.json`, written last, and `data`, whose size is the offset. A piece is appended under a lock (flock) that
ends with its process, and only if the file still ends where the sender's piece before ended.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from model_store.clock import rfc3339
from model_store.durable_files import replace, sync
from model_store.errors import MadeByNewer, NoSpace
from model_store.os_errors import storage_errors
from model_store.sealed import seal, unseal

KEPT_FOR = 86_400.0  # seconds after the last piece
MOST_UPLOADS = 64
MOST_TOGETHER = 4  # times the limit of one upload: what all uploads together may declare

_ABOUT, _DATA, _LOCK = "about.json", "data", ".lock"
_ID = re.compile(r"[0-9a-f]{32}")


class UploadError(Exception):
    """An upload cannot be used like this."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UploadNotFound(UploadError):
    """There is no such upload: it was imported, deleted, expired a day after its last piece, or belongs to another key."""


class UploadConflict(UploadError):
    """The upload has another offset than the request says."""


class UploadTooLarge(UploadError):
    """The upload has more bytes than it may have."""


class TooManyUploads(UploadError):
    """The limit of unfinished uploads is reached: delete one, or wait until one is imported or expires."""


@dataclass(frozen=True)
class Upload:
    """An upload: its length as declared, and the offset at which it continues, in bytes; `expires` is Unix time in seconds."""

    id: str
    length: int
    offset: int
    expires: float

    @property
    def expires_at(self) -> str:
        """When it expires, unless another piece comes."""
        return rfc3339(datetime.fromtimestamp(self.expires, UTC))


class Writer:
    """Appends the pieces of one request to an upload, from any thread; to be closed."""

    def __init__(self, file: BinaryIO, upload: Upload) -> None:
        self._file = file
        self._length = upload.length
        self._lock = threading.Lock()  # a file must not be closed while another thread writes to it
        self.offset = upload.offset

    @property
    def room(self) -> int:
        """How many bytes are missing."""
        return self._length - self.offset

    def write(self, piece: bytes) -> None:
        """Appends a piece. What was written of it is kept, whatever is raised.

        Raises:
            UploadConflict: another request has appended to the upload since the piece before.
            UploadTooLarge: the piece reaches past the declared length; nothing is written.
            UploadNotFound: the upload was deleted.
            NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
        """
        with self._lock, storage_errors(), _locked(descriptor := self._file.fileno()):
            about, view = os.fstat(descriptor), memoryview(piece)
            if not about.st_nlink:
                raise UploadNotFound
            if about.st_size != self.offset:
                raise UploadConflict("Another request has continued this upload.")
            if len(view) > self.room:
                raise UploadTooLarge(f"the upload has {self._length} bytes, as declared; this is more")
            while view:
                written = os.pwrite(descriptor, view, self.offset)
                self.offset, view = self.offset + written, view[written:]

    def flush(self) -> None:
        """Waits until all pieces are on the disk. Raises NoSpace, Unavailable."""
        with self._lock, storage_errors():
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Ends the use of the file, after a piece that is being written."""
        with self._lock:
            self._file.close()


class Uploads:
    """The uploads in a folder, which processes and threads may share.

    Args:
        folder: where they are kept; made when it is needed.
        most_bytes: of one upload; all of them together may declare `MOST_TOGETHER` times as many.
        now: the Unix time in seconds.
    """

    def __init__(self, folder: Path, most_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._now = now

    def create(self, owner: str | None, length: int) -> Upload:
        """A new, empty upload.

        Args:
            owner: the id of the key that it belongs to; None without keys. Only its owner finds it.
            length: how many bytes it will have.

        Raises:
            UploadTooLarge, TooManyUploads: a limit is passed.
            NoSpace: the disk has no room for it beside what other uploads have declared.
            Unavailable: the disk cannot be used.
        """
        if length > self._most_bytes:
            raise UploadTooLarge(f"an upload may have at most {self._most_bytes} bytes")
        with storage_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                with _locked(lock):
                    self._check_room(length)
                    return self._create(owner, length)
            finally:
                os.close(lock)

    def get(self, owner: str | None, upload: str) -> Upload:
        """The upload with this id. Raises UploadNotFound, Unavailable."""
        if not _ID.fullmatch(upload):  # it becomes part of a path
            raise UploadNotFound
        with storage_errors():
            found = self._read(upload)
        if found is None or found[0] != owner or found[1].expires <= self._now():
            raise UploadNotFound
        return found[1]

    def writer(self, owner: str | None, upload: str, offset: int) -> Writer:
        """Appends to the upload, which must have that offset. Raises UploadNotFound, UploadConflict, Unavailable."""
        found = self.get(owner, upload)
        if found.offset != offset:
            raise UploadConflict(f"The upload continues at the offset {found.offset}.")
        with storage_errors():
            try:
                return Writer((self._folder / upload / _DATA).open("r+b", buffering=0), found)
            except FileNotFoundError:
                raise UploadNotFound from None

    def link(self, owner: str | None, upload: str, target: Path) -> None:
        """Makes the whole upload available at the path `target`, which keeps it even if the upload is removed.

        Raises:
            UploadConflict: it is not complete.
            UploadNotFound, NoSpace, Unavailable: as `get`, and as `create`.
        """
        found = self.get(owner, upload)
        if found.offset != found.length:
            raise UploadConflict(f"The upload has {found.offset} of {found.length} bytes.")
        with storage_errors():
            source = self._folder / upload / _DATA
            try:
                target.hardlink_to(source)
            except FileNotFoundError:
                raise UploadNotFound from None
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP):
                    raise
                shutil.copyfile(source, target)  # on another file system, or on one without hard links

    def remove(self, owner: str | None, upload: str) -> None:
        """Removes the upload. Raises UploadNotFound, Unavailable."""
        self.get(owner, upload)
        with storage_errors():
            self._remove(upload)

    def discard(self, upload: str) -> None:
        """Removes the upload, whoever owns it and whether it is there or not. What cannot be removed now expires."""
        with suppress(OSError):
            self._remove(upload)

    def sweep(self) -> None:
        """Removes the uploads that have expired, and what killed processes have left of others. Raises OSError."""
        for upload in self._ids():
            found, path = self._read(upload), self._folder / upload
            with suppress(FileNotFoundError):
                expires = path.stat().st_mtime + KEPT_FOR if found is None else found[1].expires
                if expires <= self._now():
                    self._remove(upload)

    def _check_room(self, length: int) -> None:
        found = [each[1] for upload in self._ids() if (each := self._read(upload)) is not None]
        unfinished = [each for each in found if each.expires > self._now()]
        if len(unfinished) >= MOST_UPLOADS:
            raise TooManyUploads(f"There are {len(unfinished)} unfinished uploads already; {TooManyUploads.__doc__}")
        if sum(each.length for each in unfinished) + length > MOST_TOGETHER * self._most_bytes:
            raise TooManyUploads(f"All uploads may have {MOST_TOGETHER * self._most_bytes} bytes together.")
        if sum(each.length - each.offset for each in unfinished) + length > shutil.disk_usage(self._folder).free:
            raise NoSpace

    def _create(self, owner: str | None, length: int) -> Upload:
        upload = secrets.token_hex(16)
        path = self._folder / upload
        try:
            path.mkdir(mode=0o700)
            (path / _DATA).touch(0o600)
            replace(path / _ABOUT, seal(upload, {"owner": owner, "length": length}))
            sync(self._folder)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return Upload(upload, length, 0, (path / _DATA).stat().st_mtime + KEPT_FOR)

    def _read(self, upload: str) -> tuple[str | None, Upload] | None:
        """The owner of an upload, and the upload; None when it is not there, or not what was written."""
        path = self._folder / upload
        try:
            fields, _ = unseal(upload, (path / _ABOUT).read_bytes())
            about = (path / _DATA).stat()
            return fields["owner"], Upload(upload, fields["length"], about.st_size, about.st_mtime + KEPT_FOR)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, MadeByNewer):
            return None

    def _remove(self, upload: str) -> None:
        """First its data, so that a request that still writes to it notices."""
        (self._folder / upload / _DATA).unlink(missing_ok=True)
        shutil.rmtree(self._folder / upload, ignore_errors=True)

    def _ids(self) -> list[str]:
        try:
            return [path.name for path in self._folder.iterdir() if _ID.fullmatch(path.name)]
        except FileNotFoundError:
            return []


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
