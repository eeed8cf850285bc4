"""Artifacts: the plots and exports of versions, made by short-lived child processes and kept on disk by the version's digest."""

import asyncio
import hashlib
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_store import Store, Version
from model_store.os_errors import storage_errors
from service import __version__
from service.use_cases.child_process import ChildFailed, run
from service.workflow.errors import NotAvailable, WorkflowError

MOST_FILES = 300
MOST_BYTES = 2 * 2**30
MOST_AT_ONCE = 2
MOST_WAITING = 64
FAILURE_SECONDS = 300  # for which it is remembered why an artifact cannot be made
MOST_FAILURES = 1000
MOST_LOGGED = 2000  # bytes of what a child process writes to stderr
NOT_AVAILABLE = 3  # the exit status of a child process for a model that has no such artifact

log = logging.getLogger(__name__)
Make = Callable[[Path], Awaitable[None]]


class ArtifactFailed(Exception):
    """The file could not be made."""


class TooManyArtifacts(Exception):
    """Too many plots and exports are being made; retry in a moment."""


@dataclass(frozen=True)
class Artifact:
    """One plot or export of a version: a file for each of `suffixes`, made together."""

    version: Version
    name: str
    suffixes: tuple[str, ...]

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"{self.version.digest}-{self.name}-{__version__}"


class Artifacts:
    """A cache of artifacts in `folder`. It keeps at most `most_files` files and `most_bytes` bytes, but always the artifact
    that was made last; the least recently used go first. An artifact is made once for all requests that wait for it, and at
    most `MOST_AT_ONCE` are made at a time. That a model has no such artifact, which takes a process to find out, is remembered
    for `FAILURE_SECONDS`. It belongs to one event loop."""

    def __init__(
        self, folder: Path, temporary: Path, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
    ) -> None:
        self._folder = folder
        self._temporary = temporary
        self._most_files = most_files
        self._most_bytes = most_bytes
        self._seats = asyncio.Semaphore(MOST_AT_ONCE)
        self._in_progress: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, tuple[float, WorkflowError]] = {}

    async def get(self, store: Store, artifact: Artifact, suffix: str, make: Make) -> Path:
        """The artifact's file with this suffix, checked by its digest; never write to it. `make` writes `artifact<suffix>` for
        each of the artifact's suffixes into the folder that it is given.

        Raises:
            ArtifactFailed: the file was evicted before it could be read; also whatever `make` raises.
            TooManyArtifacts: `MOST_WAITING` others are in progress.
            NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
        """
        stem, version = artifact.stem, artifact.version
        if (kept := await asyncio.to_thread(self._kept, stem, suffix)) is not None:
            return kept
        self._raise_known_failure(stem)
        if stem not in self._in_progress:
            if len(self._in_progress) >= MOST_WAITING:
                raise TooManyArtifacts(TooManyArtifacts.__doc__)
            self._in_progress[stem] = asyncio.create_task(self._make(artifact, make))
            self._in_progress[stem].add_done_callback(lambda _: self._in_progress.pop(stem))
        await asyncio.shield(self._in_progress[stem])  # other requests may wait for it, too
        made = await asyncio.to_thread(self._kept, stem, suffix)
        if not await asyncio.to_thread(store.models.has, version.name, version.number):
            self.forget([version.digest])  # the version was deleted meanwhile
        if made is None:
            raise ArtifactFailed("the file was made, and evicted before it could be read")
        return made

    def forget(self, digests: Iterable[str]) -> None:
        """Removes the artifacts of versions with these digests. From any thread."""
        gone = set(digests)
        for stem in list(self._failures):
            if stem.partition("-")[0] in gone:
                self._failures.pop(stem, None)
        with suppress(OSError):
            for name in os.listdir(self._folder):  # noqa: PTH208 - names alone
                if name.partition("-")[0] in gone:
                    (self._folder / name).unlink(missing_ok=True)

    def made(self, version: Version, name: str, suffix: str) -> tuple[str, int] | None:
        """The SHA-256 (hex) and the bytes of an artifact's file, if it is in the cache; not checked. From any thread."""
        stem = Artifact(version, name, (suffix,)).stem
        with suppress(OSError):
            for path in self._folder.glob(f"{stem}-*{suffix}"):
                return path.name.removesuffix(suffix).rpartition("-")[2], path.stat().st_size
        return None

    def _raise_known_failure(self, stem: str) -> None:
        since, error = self._failures.get(stem, (-math.inf, None))
        if error is not None and time.monotonic() - since < FAILURE_SECONDS:
            raise type(error)(str(error))

    def _remember(self, stem: str, error: WorkflowError) -> None:
        self._failures.pop(stem, None)  # to the end
        self._failures[stem] = (time.monotonic(), error)
        if len(self._failures) > MOST_FAILURES:
            self._failures.pop(next(iter(self._failures)))

    def _kept(self, stem: str, suffix: str) -> Path | None:
        """The kept file, if its content has the digest in its name; a damaged file is removed."""
        for path in self._folder.glob(f"{stem}-*{suffix}"):
            try:
                with path.open("rb") as file:
                    digest, changed = hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_mtime
                if path.name == f"{stem}-{digest}{suffix}":
                    os.utime(path, (time.time(), changed))  # the last use; responses show the last change
                    return path
            except FileNotFoundError:
                continue
            except OSError:
                pass
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return None

    async def _make(self, artifact: Artifact, make: Make) -> None:
        async with self._seats:
            kept = [await asyncio.to_thread(self._kept, artifact.stem, suffix) for suffix in artifact.suffixes]
            if None not in kept:
                return  # it was made between the request's cache lookup and this task
            with storage_errors():
                self._temporary.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=self._temporary, ignore_cleanup_errors=True) as folder:
                    try:
                        await make(Path(folder))
                    except WorkflowError as error:
                        self._remember(artifact.stem, error)
                        raise
                    await asyncio.to_thread(self._keep, artifact, Path(folder))

    def _keep(self, artifact: Artifact, folder: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for suffix in artifact.suffixes:
            made = folder / f"artifact{suffix}"
            with made.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            made.replace(self._folder / f"{artifact.stem}-{digest}{suffix}")
        self._evict(artifact.stem)

    def _evict(self, newest: str) -> None:
        files = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                about = path.stat()
                files.append((path.name.startswith(newest), about.st_atime, about.st_size, path))
        count = size = 0
        for is_newest, _, length, path in sorted(files, reverse=True):
            count, size = count + 1, size + length
            if not is_newest and (count > self._most_files or size > self._most_bytes) and path.is_file():
                path.unlink(missing_ok=True)


def artifact_digest(path: Path) -> str:
    """The SHA-256 (hex) of a file that `Artifacts.get` has returned: it is in its name."""
    return path.stem.rpartition("-")[2]


async def make_in_child(
    module: str, request: bytes, folder: Path, *, most_seconds: float, error: type[ArtifactFailed]
) -> None:
    """Runs `python -m module HEARTBEATS FOLDER` with the request on its stdin.

    Raises:
        NotAvailable: the child ended with the status `NOT_AVAILABLE`; its stderr says why.
        ArtifactFailed: as `error`: the child failed, was killed, or took more than `most_seconds`.
    """
    try:
        ended = await run(
            module,
            str(folder),
            stdin=request,
            environment={"HOME": str(folder), "TMPDIR": str(folder)},
            most_seconds=most_seconds,
            most_bytes=0,
        )
    except TimeoutError:
        raise error(f"{error.__doc__} It took more than {most_seconds} seconds.") from None
    except ChildFailed as failure:
        raise error(error.__doc__) from failure
    if ended.status == NOT_AVAILABLE:
        raise NotAvailable(ended.stderr.decode().strip())
    if ended.status:
        log.warning("%s failed: %s", module, ended.stderr.decode(errors="replace")[-MOST_LOGGED:])
        raise error(error.__doc__)
