"""Compressed files: gzip, and zip with one table in it. The decompressed size is bounded while it is written."""

import errno
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from service.workflow.data.reading import Compression
from service.workflow.errors import InvalidData

CHUNK = 2**20
# The largest ratio of sizes, beyond the first FREE_OUTPUT bytes. Tables have 2 to 30.
MOST_RATIO, FREE_OUTPUT = 200, 64 * 2**20
GZIP, ZIPS = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
WORKBOOK = "xl/workbook.xml"
_BESIDE = ("__MACOSX/", ".DS_Store", "Thumbs.db")  # added by file managers


@contextmanager
def archive_errors(what: str) -> Iterator[None]:
    """Turns the errors that Python's readers raise for a damaged file into InvalidData. Errors of the system are not changed."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # EINVAL: an offset outside the file
            raise
        raise InvalidData(f"{what} {_DAMAGED}") from error
    except RuntimeError as error:  # also NotImplementedError
        raise InvalidData(f"{what} has a password, or is packed in a way that is not read: pack it anew") from error
    except _DAMAGED_ERRORS as error:
        raise InvalidData(f"{what} {_DAMAGED}") from error


_DAMAGED = (
    "is damaged or cut short: its checksums or sizes are not those of what is in it; send the whole file as it was made"
)
# Python's readers raise these for damaged files.
_DAMAGED_ERRORS = (
    *(zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, IndexError, OverflowError, ValueError),
)


def compression_of(path: Path) -> Compression | None:
    """The compression of a file, or None. An Excel workbook, though a zip file, counts as not compressed."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(GZIP):
        return "gzip"
    return "zip" if start in ZIPS and not is_excel(path) else None


def is_excel(path: Path) -> bool:
    """Whether it is an Excel workbook."""
    return WORKBOOK in members_of(path)


def members_of(path: Path) -> list[str]:
    """The names in the directory of a zip file, unchecked; none if it cannot be read, or is no zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (*_DAMAGED_ERRORS, OSError):
        return []


def decompress(path: Path, compression: Compression, scratch: Path, most: int) -> tuple[Path, str]:
    """Decompresses a file. Returns the path and, if known, the name of the content.

    Raises:
        InvalidData: it is damaged, larger than `most` bytes or out of proportion to the file, or not one table.
    """
    made, most = scratch / "unpacked", most_unpacked(path, most)
    with archive_errors(f"the {compression} file"), made.open("wb") as file:
        if compression == "gzip":
            with gzip.open(path) as packed:
                file.writelines(_chunks([packed], most))
            return made, ""
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive)
            file.writelines(_chunks([archive.open(member)], most))
            return made, member.filename


def check_size(path: Path, most: int) -> None:
    """Checks the decompressed size of an Excel workbook by decompressing it: its directory may lie.

    Raises:
        InvalidData: it is damaged, larger than `most` bytes, or out of proportion to the file.
    """
    with archive_errors("the Excel file"), zipfile.ZipFile(path) as archive:
        for _ in _chunks(map(archive.open, archive.infolist()), most_unpacked(path, most)):
            pass


def most_unpacked(path: Path, most: int) -> int:
    """How many bytes may come out of a file: `most`, and not out of proportion to it."""
    return min(most, FREE_OUTPUT + MOST_RATIO * path.stat().st_size)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        each
        for each in archive.infolist()
        if not each.is_dir() and not each.filename.startswith(_BESIDE) and not each.filename.endswith(_BESIDE)
    ]
    if len(members) != 1:
        raise InvalidData(f"the zip file holds {len(members)} files; one table is expected")
    if not members[0].filename:
        raise InvalidData("the one file in the zip file has no name")
    return members[0]


def _chunks(files: Iterable[gzip.GzipFile | IO[bytes]], most: int) -> Iterator[bytes]:
    """The decompressed contents. Raises InvalidData after `most` bytes."""
    left = most
    for file in files:
        with file:
            while chunk := file.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    message = f"more than {most} bytes come out of it, the most that is taken of a file of its size"
                    raise InvalidData(message)
                yield chunk
