"""Any part of a version's bundle, read without writing the rest of it: the content of its files is read where it is stored."""

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from model_store.bundle import NO_MEMBERS, Draft, write_draft
from model_store.collection import Collection
from model_store.os_errors import storage_errors
from model_store.version import Version

MOST_LAYOUTS = 32
MOST_BYTES_KEPT = 1024 * 1024  # of one layout: those of the manifest, mostly; a larger one is made again each time

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class _Part:
    """`length` bytes of the bundle from `start` on: the beginning of `content`, or of the file that it names."""

    start: int
    length: int
    content: bytes | str


@dataclass(frozen=True)
class Layout:
    """The parts of a bundle in their order, its size in bytes, and the SHA-256 (hex) of all its bytes."""

    parts: tuple[_Part, ...]
    size: int
    sha256: str


class _Recorder:
    """A target that keeps what `write_draft` writes around the files, and of their content its length only."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.sha256 = hashlib.sha256()
        self.size = 0
        self._file: str | None = None
        self._start = 0
        self._between: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self.sha256.update(data)
        self.size += len(data)
        if self._file is None:
            self._between.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def content_of(self, file: str | None) -> None:
        """Ends the part before, and begins that of the file, or what follows it."""
        content: bytes | str = b"".join(self._between) if self._file is None else self._file
        self.parts.append(_Part(self._start, self.size - self._start, content))
        self._file, self._start, self._between = file, self.size, []


class OpenBundle:
    """A bundle whose files are open."""

    def __init__(self, layout: Layout, files: dict[str, BinaryIO]) -> None:
        self.size, self.sha256 = layout.size, layout.sha256
        self._parts = layout.parts
        self._starts = [part.start for part in layout.parts]
        self._files = files

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, in pieces of at most 1 MiB. Raises Unavailable."""
        with storage_errors():
            while start < stop:
                part = self._parts[bisect_right(self._starts, start) - 1]
                within = start - part.start
                length = min(stop - start, part.length - within, _CHUNK)
                if isinstance(part.content, bytes):
                    chunk = part.content[within : within + length]
                else:
                    file = self._files[part.content]
                    file.seek(within)
                    chunk = file.read(length)
                if len(chunk) != length:
                    raise OSError("a stored file became shorter while it was read")
                yield chunk
                start += length


class Bundles:
    """The bundles of the versions in a collection. Layouts are kept, since making one reads every file: a download that is
    resumed often costs little. Safe for threads."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._layouts: OrderedDict[tuple[str, int, str], Layout] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, version: Version, extra: Mapping[str, bytes] = NO_MEMBERS) -> Iterator[OpenBundle]:
        """The bundle of `version`, with the bytes that `write_bundle` writes; its files are checked by their digests first.

        Raises VersionCorrupt, VersionNotFound, Unavailable.
        """
        with ExitStack() as stack:
            names = sorted(version.manifest["files"])
            paths = {name: stack.enter_context(self._collection.local_file(version, name)) for name in names}
            with storage_errors():
                draft = Draft(dict(version.manifest), paths, self._collection.signature(version), extra)
                layout = self._layout(version, draft)
                files: dict[str, BinaryIO] = {
                    name: stack.enter_context(path.open("rb", buffering=0)) for name, path in paths.items()
                }
            yield OpenBundle(layout, files)

    def _layout(self, version: Version, draft: Draft) -> Layout:
        changing = hashlib.sha256(b"" if draft.signature is None else b"signed" + draft.signature)
        for data in draft.extra.values():
            changing.update(hashlib.sha256(data).digest())
        key = (version.name, version.number, changing.hexdigest())  # a number is never used again
        with self._lock:
            if (known := self._layouts.get(key)) is not None:
                self._layouts.move_to_end(key)
                return known
        recorder = _Recorder()
        write_draft(draft, recorder, recorder.content_of)
        recorder.content_of(None)
        parts = tuple(part for part in recorder.parts if part.length)
        layout = Layout(parts, recorder.size, recorder.sha256.hexdigest())
        if sum(part.length for part in parts if isinstance(part.content, bytes)) <= MOST_BYTES_KEPT:
            with self._lock:
                self._layouts[key] = layout
                if len(self._layouts) > MOST_LAYOUTS:
                    self._layouts.popitem(last=False)
        return layout
