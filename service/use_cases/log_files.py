"""The files of the log of predictions: Parquet, in a folder for each version, `NAME/NUMBER/`, readable by their owner only.

Each process writes files of its own: one a second (`s`) if there is something to write, which each minute become one (`m`), and
each hour one of those (`h`). The name begins with the time at which it was written. A file appears under its name when it is on
the disk. After `kill -9` while files are joined a row may be in two of them.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from model_store.durable_files import sync

if TYPE_CHECKING:
    import polars as pl

MOST_JOINED_BYTES = 128 * 2**20  # of the files that become one
ABANDONED = 3600.0  # seconds after which a file that is not complete belongs to a process that died
TEMPORARY = ".new"
TRIES = 3  # to read files that other processes may be joining

log = logging.getLogger(__name__)


class FoundRow(NamedTuple):
    """A row in the log: the version's number, when it was answered (seconds since 1970), and the answer."""

    version: int
    at: float
    answer: list[float]


class LogFiles:
    """The files under one folder. Several processes may use it; methods of one object are called by one thread at a time, except
    `find`.

    Args:
        folder: of all models.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: dict[tuple[str, str, int], list[Path]] = {}  # those of this process that are still to be joined
        self._count = 0

    def write(self, name: str, number: int, frame: "pl.DataFrame") -> None:
        """Writes a file of a second. Raises OSError."""
        path = self._new("s", name, number, frame.write_parquet)
        self._own.setdefault(("s", name, number), []).append(path)

    def join(self, kind: str, into: str) -> None:
        """Joins this process's files of a kind to one of the next for each version, unless they are too large for one. Raises
        OSError."""
        import polars as pl

        for key in [key for key in self._own if key[0] == kind]:
            paths = [path for path in self._own.pop(key) if path.exists()]
            size = sum(path.stat().st_size for path in paths)
            _, name, number = key
            if len(paths) > 1 and size <= MOST_JOINED_BYTES:
                joined = pl.scan_parquet(paths, glob=False)
                new = self._new(into, name, number, joined.sink_parquet)
                for path in paths:
                    path.unlink(missing_ok=True)
                paths = [new]
            if into == "m":
                self._own.setdefault((into, name, number), []).extend(paths)

    def versions(self) -> Iterator[tuple[str, int]]:
        """The versions that have a folder."""
        for path in self.folder.glob("*/*"):
            if path.name.isdecimal():
                yield path.parent.name, int(path.name)

    def forget(self, name: str, number: int) -> None:
        """Deletes the folder of a version, with the feedback in it."""
        for key in [key for key in self._own if key[1:] == (name, number)]:
            del self._own[key]
        shutil.rmtree(self.of(name, number), ignore_errors=True)

    def trim(self, most: int) -> None:
        """Deletes the oldest files beyond so many bytes, and what processes that died have left incomplete."""
        files, now = list[tuple[float, int, Path]](), time.time()
        for path in self.folder.glob("*/*/*"):
            try:
                about = path.stat()
            except OSError:  # another process has joined or deleted it
                continue
            if path.suffix == ".parquet":
                files.append((about.st_mtime, about.st_size, path))
            elif path.suffix == TEMPORARY and now - about.st_mtime > ABANDONED:
                path.unlink(missing_ok=True)
        size = sum(each[1] for each in files)
        for _, bytes_, path in sorted(files):
            if size <= most:
                return
            path.unlink(missing_ok=True)
            size -= bytes_

    def of(self, name: str, number: int) -> Path:
        """The folder of a version."""
        return self.folder / name / str(number)

    def find(self, name: str, requests: set[str]) -> dict[str, dict[int, FoundRow]]:
        """The rows of these requests to a model, by request and position. If an id was used more than once, the newest count."""
        for _ in range(TRIES):
            try:
                return self._find(name, requests)
            except FileNotFoundError:  # it was joined or deleted since the folder was listed
                continue
        return self._find(name, requests)

    def _find(self, name: str, requests: set[str]) -> dict[str, dict[int, FoundRow]]:
        import polars as pl

        found: dict[str, dict[int, FoundRow]] = {}
        wanted = pl.Series(sorted(requests), dtype=pl.String).implode()
        for path in sorted((self.folder / name).glob("*/*.parquet"), key=lambda each: each.name, reverse=True):
            try:
                lazy = pl.scan_parquet(path, glob=False).filter(pl.col("request_id").is_in(wanted))
                rows = lazy.select("request_id", "row", "version", pl.col("at").dt.timestamp("us"), "answer").collect()
            except pl.exceptions.PolarsError as error:
                if not path.exists():
                    raise FileNotFoundError from error
                log.warning("a file of the log of predictions cannot be read: %s: %s", path.name, error)
                continue
            for request, row, version, micro, answer in rows.iter_rows():
                of = found.setdefault(request, {})
                if row not in of or of[row].at < micro / 1e6:
                    of[row] = FoundRow(version, micro / 1e6, answer)
        return found

    def _new(self, kind: str, name: str, number: int, write: Callable[[Path], object]) -> Path:
        folder = self.of(name, number)
        _make(self.folder, folder)
        self._count += 1
        path = folder / f"{time.time_ns():020d}-{os.getpid()}-{self._count}.{kind}.parquet"
        new = path.with_suffix(TEMPORARY)
        os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            write(new)
            sync(new)
            new.rename(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        sync(folder)
        return path


def _make(above: Path, folder: Path) -> None:
    """Makes the folder and those above it up to `above`, for their owner only."""
    for each in reversed([folder, *_between(above, folder)]):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def _between(above: Path, folder: Path) -> Sequence[Path]:
    parents = list(folder.parents)
    return parents[: parents.index(above) + 1]
