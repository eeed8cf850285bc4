"""Single files of a data set of images or videos: their bytes, read from the archive without unpacking it, and small pictures."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from model_store import Store, Version
from service.use_cases.attempt_store import DATA
from service.workflow.data.archives.item_index import (
    ITEMS,
    RECORD,
    THUMBNAIL_TYPE,
    THUMBNAILS,
    Item,
    item_of,
    thumbnail_of,
)
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import NotAvailable
from service.workflow.spec_base import shown

PIECE = 2**20  # bytes that are read at a time


@dataclass(frozen=True)
class Found:
    """A file of a data set: its media type, its size in bytes, and whether parts of it can be read."""

    store: Store
    version: Version
    item: Item

    @property
    def media_type(self) -> str:
        """One of those of `item_index.MEDIA_TYPES`."""
        return self.item.media_type

    @property
    def size(self) -> int:
        """How many bytes the file has."""
        return self.item.unpacked

    @property
    def has_parts(self) -> bool:
        """Whether a part can be read without what is before it."""
        return not self.item.deflated

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`; all of them unless it `has_parts`.

        Raises:
            Corrupt, Unavailable: the store cannot be read.
        """
        if self.has_parts:
            yield from self._stored(start, stop)
            return
        inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), self.size
        for packed in self._stored(0, self.item.size):
            while packed and left:
                made = inflater.decompress(packed, min(PIECE, left))
                packed, left = inflater.unconsumed_tail, left - len(made)
                yield made

    def _stored(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, PIECE):
            offset = self.item.offset
            yield self.store.datasets.read_range(self.version, DATA, offset + at, offset + min(at + PIECE, stop))


def find_item(store: Store, version: Version, row: int, column: str | None) -> Found | str:
    """The file of a row, counted from 0; or the name of its column, if that has its files in the cells of a table.

    Args:
        column: that has the files; None for the first such column.

    Raises:
        NotAvailable: there is no such row or column, or the row has no file.
    """
    name = _column(version, row, column)
    if ITEMS not in version.manifest["files"]:
        return name
    record = store.datasets.read_range(version, ITEMS, row * RECORD.size, (row + 1) * RECORD.size)
    if (item := item_of(record)) is None:
        raise NotAvailable(f"row {row} has no file")
    return Found(store, version, item)


def thumbnail(store: Store, version: Version, row: int, column: str | None) -> tuple[bytes, str]:
    """A small picture of a row's file, and its media type.

    Raises:
        NotAvailable: there is none of this row.
    """
    name, made = _column(version, row, column), None
    if name == _columns(version)[0] and THUMBNAILS in version.manifest["files"]:
        with store.datasets.local_file(version, THUMBNAILS) as path:
            made = thumbnail_of(path, row)
    if made is None:
        raise NotAvailable(
            f"row {row} has no thumbnail; `statistics.thumbnails` of the column lists the rows that have"
        )
    return made, THUMBNAIL_TYPE


def _columns(version: Version) -> list[str]:
    """The columns that hold files."""
    columns = version.manifest["schema"]["columns"]
    return [each["name"] for each in columns if getattr(COLUMN_TYPES.get(each["type"]), "files", False)]


def _column(version: Version, row: int, column: str | None) -> str:
    known, rows = _columns(version), version.manifest["schema"]["rows"]
    if not known:
        raise NotAvailable(f"the data set {shown(version.name)} has no column of files")
    if column is not None and column not in known:
        raise NotAvailable(f"there is no column {shown(column)} of files; known: {', '.join(map(shown, known))}")
    if row >= rows:
        raise NotAvailable(f"there is no row {row}: the data set has {rows} rows, counted from 0")
    return known[0] if column is None else column
