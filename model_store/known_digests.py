"""Files whose SHA-256 this process has computed, so that a file that has not changed since is not read again."""

import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

from model_store.clock import Clock, utc_now

MOST_FILES = 1024
SETTLED_SECONDS = 2.0

Status = tuple[int, int, int, int, int]


class KnownDigests:
    """The SHA-256 of files by their status: device, inode, size, and the times of the last change of content and inode.

    A change of the content always sets the latter, which no program can set back. But clocks of file systems are coarse, 2 s at
    worst: the digest of a file that was changed within `SETTLED_SECONDS` before it was read is not remembered. Thread-safe.
    """

    def __init__(self, now: Clock = utc_now, most_files: int = MOST_FILES) -> None:
        self._now = now
        self._most_files = most_files
        self._digests: OrderedDict[Status, str] = OrderedDict()
        self._lock = threading.Lock()

    def sha256(self, path: Path, *, read: bool = False) -> str:
        """The digest of the file, in hex; `read` computes it even if it is known. Raises OSError."""
        with path.open("rb") as file:
            status = _status(file)
            with self._lock:
                known = None if read else self._digests.get(status)
                if known is not None:
                    self._digests.move_to_end(status)
                    return known
            settled = self._now().timestamp() - max(status[-2:]) / 1e9 > SETTLED_SECONDS
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if settled and _status(file) == status:
                self._remember(status, digest)
            return digest

    def _remember(self, status: Status, digest: str) -> None:
        with self._lock:
            self._digests[status] = digest
            self._digests.move_to_end(status)
            if len(self._digests) > self._most_files:
                self._digests.popitem(last=False)


def _status(file: BinaryIO) -> Status:
    about = os.fstat(file.fileno())
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
