"""Checkpoints: a training's state in a folder, from which it goes on after whatever has happened."""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from service.workflow.state import State, flatten, unflatten
from service.workflow.tensor_file import write

KEPT = 2  # the newest, and the one before for when the newest is damaged
NAME = re.compile(r"(?P<number>\d{8,})-(?P<digest>[0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class Found:
    """The newest state that is whole, if there is one, and how many newer ones were damaged."""

    state: State | None
    damaged: int


class Checkpoints:
    """The checkpoints of one training: each a safetensors file with the JSON in its metadata, named by an ever rising
    number and the SHA-256 of its bytes. The folder is theirs alone; it is made when there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, state: State) -> None:
        """Returns once the state is durable. What a crash leaves is either whole or not there.

        Raises:
            OSError: it could not be written; the checkpoints before are as they were.
            TypeError: something in the state cannot be written.
        """
        text, tensors = flatten(state)
        _make(self._folder)
        there = self._newest_first()
        number = 1 + (int(there[0]["number"]) if there else 0)
        with self._temporary() as path:
            write(tensors, path, {"state": text})
            digest = _digest(path)
            _sync(path)
            path.rename(self._folder / f"{number:08}-{digest}.safetensors")
        _sync(self._folder)
        for old in there[KEPT - 1 :]:
            (self._folder / old[0]).unlink(missing_ok=True)

    def load(self) -> Found:
        """The newest state that is whole and can be read. Removes what is not whole: damaged files, and what an interrupted
        `save` has left.

        Raises:
            OSError: there are some, and none can be read now.
        """
        damaged, unread = 0, None
        for leftover in self._files():
            if not NAME.fullmatch(leftover.name):
                leftover.unlink(missing_ok=True)
        for name in self._newest_first():
            path = self._folder / name[0]
            try:
                if _digest(path) == name["digest"]:
                    return Found(_read(path), damaged)
            except (FileNotFoundError, IsADirectoryError):
                pass
            except OSError as error:  # the disk may be well again before the next attempt
                unread = error
                continue
            except MemoryError:
                raise
            except Exception:  # noqa: S110 - it is counted
                pass  # it cannot be read, or another version of this software wrote it
            damaged += 1
            with suppress(OSError):
                path.unlink()  # or it would count among those that are kept
        if unread is not None:
            raise unread
        return Found(None, damaged)

    def _files(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _newest_first(self) -> list[re.Match[str]]:
        names = [name for path in self._files() if (name := NAME.fullmatch(path.name))]
        return sorted(names, key=lambda name: (int(name["number"]), name[0]), reverse=True)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        path = self._folder / f"{uuid.uuid4().hex}.tmp"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _read(path: Path) -> State:
    try:
        with safe_open(path, "pt") as file:
            text = file.metadata()["state"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (OSError, RuntimeError) as error:  # a disk that fails, as two libraries say it that open the file anew
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error
    state: State = unflatten(text, tensors)
    return state


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(folder: Path) -> None:
    """Makes the folder and those above it durably."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
