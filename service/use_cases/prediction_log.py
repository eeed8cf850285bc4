"""The log of predictions: rows and answers of a share of the requests, kept in the home, off by default.

A request is kept if the hash of its id falls into the share, so that everyone who knows the id knows whether it was. The event
loop only puts what was answered into a bounded queue; a thread writes it (`log_files.py`).
"""

import logging
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from service.serving.prediction_record import AnsweredRows, PredictionRecord
from service.use_cases.log_files import FoundRow, LogFiles
from service.use_cases.logged_rows import Logged, frame_of

MOST_WAITING_BYTES = 64 * 2**20
ROW_BYTES = 200  # of a waiting row's objects, beside its numbers
EACH = 1.0  # seconds between two files
MINUTE, HOUR = 60.0, 3600.0
BETWEEN_LOOKS = 0.1  # seconds

log = logging.getLogger(__name__)


def is_kept(request_id: str, share: float) -> bool:
    """Whether a log of this share keeps the request. What a share keeps, larger shares keep, too."""
    digest = blake2b(request_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


class PredictionLog:
    """The log of this process's predictions; and all processes' in `find`.

    Args:
        folder: of the log in the home.
        share: of the requests that are kept; None if the log is off.
        most_bytes: of all files; the oldest beyond them are deleted.
        others: whether other processes write to the same folder.
        most_waiting: bytes in the queue; what comes when it is full is dropped and counted.
    """

    def __init__(
        self,
        folder: Path,
        share: float | None,
        most_bytes: int,
        *,
        others: bool = False,
        most_waiting: int = MOST_WAITING_BYTES,
    ) -> None:
        self.share = share
        self.files = LogFiles(folder)
        self.kept = self.dropped = 0  # rows
        self._most_bytes, self._most_waiting = most_bytes, most_waiting
        self._patience = 2 * EACH if others else 0.0
        self._waiting, self._queue = 0, list[Logged]()
        self._lock, self._writing, self._stop = threading.Lock(), threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread that writes, if the log is on."""
        if self.share is not None:
            self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Writes what waits, and stops."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()

    def begin(self, request_id: str) -> PredictionRecord | None:
        """The record of a request; None if it is not kept."""
        if self.share is None or not is_kept(request_id, self.share):
            return None
        return PredictionRecord(request_id, self._take)

    def find(self, name: str, requests: set[str]) -> dict[str, dict[int, FoundRow]]:
        """The rows of these requests to a model, as `LogFiles.find`. Waits for what was answered a moment ago."""
        self.flush()
        found = self.files.find(name, requests)
        until = time.monotonic() + self._patience
        while (missing := {each for each in requests - found.keys() if is_kept(each, self.share or 0.0)}) and (
            time.monotonic() < until
        ):
            time.sleep(BETWEEN_LOOKS)  # another process may have answered them, and writes them within a second
            found |= self.files.find(name, missing)
        return found

    def forget(self, gone: Callable[[str, int], bool]) -> None:
        """Deletes what was kept of versions that are gone, with the feedback on it."""
        with self._writing:
            with self._lock:
                self._queue = [each for each in self._queue if not gone(*each.rows.version[1:])]
                self._waiting = sum(map(_bytes, self._queue))
            for name, number in list(self.files.versions()):
                if gone(name, number):
                    self.files.forget(name, number)

    def flush(self) -> None:
        """Writes what waits to the disk."""
        with self._writing:
            with self._lock:
                logged, self._queue, self._waiting = self._queue, [], 0
            by_version: dict[tuple[str, int], list[Logged]] = {}
            for each in logged:
                by_version.setdefault(each.rows.version[1:], []).append(each)
            for (name, number), of in by_version.items():
                rows = sum(len(each.rows.answers) for each in of)
                try:
                    self.files.write(name, number, frame_of(of))
                    self.kept += rows
                except Exception:  # a full disk, say: predictions go on
                    self.dropped += rows
                    log.exception("%d rows of predictions of %s, version %d, could not be logged", rows, name, number)

    def _take(self, rows: AnsweredRows) -> None:
        logged = Logged(time.time(), rows)
        size = _bytes(logged)
        with self._lock:
            if self._waiting + size > self._most_waiting:
                self.dropped += len(rows.answers)
                return
            self._waiting += size
            self._queue.append(logged)

    def _run(self) -> None:
        minute = hour = time.monotonic()
        while not self._stop.wait(EACH):
            self.flush()
            now = time.monotonic()
            if now - minute >= MINUTE:
                minute = now
                self._tidy("s", "m")
            if now - hour >= HOUR:
                hour = now
                self._tidy("m", "h")
        self.flush()
        self._tidy("s", "m")

    def _tidy(self, kind: str, into: str) -> None:
        try:
            with self._writing:
                self.files.join(kind, into)
                self.files.trim(self._most_bytes)
        except Exception:
            log.exception("files of the log of predictions could not be joined")


def _bytes(logged: Logged) -> int:
    return logged.rows.bytes + ROW_BYTES * len(logged.rows.answers)
