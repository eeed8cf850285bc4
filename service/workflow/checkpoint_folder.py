"""A folder of checkpoints: a training's state on the disk, from which it continues after a crash."""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from service.workflow.state import State, flatten, unflatten
from service.workflow.tensor_file import write

KEPT = 2  # the newest, and the one before it in case the newest is damaged
NAME = re.compile(r"(?P<number>\d{8,})-(?P<digest>[0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class FoundCheckpoint:
    """The newest intact state, None if there is none, and how many newer ones were damaged."""

    state: State | None
    damaged: int


class CheckpointFolder:
    """The checkpoints of one training: safetensors files with the state's JSON in their metadata, named by an increasing
    number and the SHA-256 of their bytes. The folder holds nothing else; the first `save` creates it. `sync` flushes a file, or
    the names in a folder, to the disk."""

    def __init__(self, folder: Path, sync: Callable[[Path], None]) -> None:
        self._folder = folder
        self._sync = sync

    def save(self, state: State) -> None:
        """Writes a state durably. A crash leaves a complete checkpoint or none.

        Raises:
            OSError: it could not be written; the earlier checkpoints are unchanged.
            TypeError: the state holds a value that cannot be written.
        """
        text, tensors = flatten(state)
        self._create(self._folder)
        earlier = self._newest_first()
        number = 1 + (int(earlier[0]["number"]) if earlier else 0)
        path = self._folder / f"{uuid.uuid4().hex}.tmp"
        try:
            write(tensors, path, {"state": text})
            digest = _digest(path)
            self._sync(path)
            path.rename(self._folder / f"{number:08}-{digest}.safetensors")
        finally:
            path.unlink(missing_ok=True)
        self._sync(self._folder)
        for old in earlier[KEPT - 1 :]:
            (self._folder / old[0]).unlink(missing_ok=True)

    def load(self) -> FoundCheckpoint:
        """The newest intact state. Deletes damaged files and the temporary files of an interrupted `save`.

        Raises:
            OSError: there are checkpoints, and none can be read now.
        """
        damaged, unread = 0, None
        for leftover in self._files():
            if not NAME.fullmatch(leftover.name):
                leftover.unlink(missing_ok=True)
        for name in self._newest_first():
            path = self._folder / name[0]
            try:
                if _digest(path) == name["digest"]:
                    return FoundCheckpoint(_read(path), damaged)
            except (FileNotFoundError, IsADirectoryError):
                pass
            except OSError as error:  # the disk may recover before the next attempt
                unread = error
                continue
            except MemoryError:
                raise
            except Exception:  # noqa: S110 - counted as damaged, as is one that another version of this software wrote
                pass
            damaged += 1
            with suppress(OSError):
                path.unlink()  # else `save` would count it among those it keeps
        if unread is not None:
            raise unread
        return FoundCheckpoint(None, damaged)

    def _create(self, folder: Path) -> None:
        """Creates a folder and its missing parents durably."""
        if not folder.is_dir():
            self._create(folder.parent)
            folder.mkdir(exist_ok=True)
            self._sync(folder.parent)

    def _files(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _newest_first(self) -> list[re.Match[str]]:
        names = [name for path in self._files() if (name := NAME.fullmatch(path.name))]
        return sorted(names, key=lambda name: (int(name["number"]), name[0]), reverse=True)


def _read(path: Path) -> State:
    try:
        with safe_open(path, "pt") as file:
            text = file.metadata()["state"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, RuntimeError) as error:  # a failing disk, as the two libraries report it
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error
    state: State = unflatten(text, tensors)
    return state


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
