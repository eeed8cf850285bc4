"""Two files beside a data set of files, which its survey writes and the service reads: where each row's bytes are in the data
set, and small pictures of some rows."""

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from service.workflow.data.table import Files

ITEMS, THUMBNAILS = "items", "thumbnails.zip"  # names of the files
RECORD = struct.Struct("<qqqBB6x")  # of one row: offset, bytes, bytes that come out, whether it is compressed, format
THUMBNAIL_TYPE = "image/webp"
# Media types by format, of which none is opened as a page by a browser. The position in this table is in the file.
MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "MP4": "video/mp4",
    "WEBM": "video/webm",
    "AVI": "video/x-msvideo",
}
_FORMATS = [*MEDIA_TYPES]


@dataclass(frozen=True)
class Item:
    """Where the bytes of a row's file are, how many come out of them if they are `deflated`, and their media type."""

    offset: int
    size: int
    unpacked: int
    deflated: bool
    media_type: str


def write_items(path: Path, files: Files, formats: list[str | None]) -> None:
    """Writes a record for each row; its format is None if the row has no file."""
    columns = (files.offsets.tolist(), files.sizes.tolist(), files.unpacked.tolist(), files.deflated.tolist())
    with path.open("wb") as file:
        for *numbers, form in zip(*columns, formats, strict=True):
            file.write(RECORD.pack(*numbers, 255 if form is None else _FORMATS.index(form)))


def item_of(record: bytes) -> Item | None:
    """The row of a record; None if it has no file."""
    offset, size, unpacked, deflated, form = RECORD.unpack(record)
    return None if offset < 0 else Item(offset, size, unpacked, bool(deflated), MEDIA_TYPES[_FORMATS[form]])


def write_thumbnails(path: Path, pictures: dict[int, bytes]) -> None:
    """Writes small pictures of rows, in the format of `THUMBNAIL_TYPE`."""
    with zipfile.ZipFile(path, "w") as archive:
        for row, picture in pictures.items():
            archive.writestr(zipfile.ZipInfo(str(row)), picture)


def thumbnail_of(path: Path, row: int) -> bytes | None:
    """The small picture of a row, if there is one."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(str(row)) if str(row) in archive.namelist() else None
