"""The directory of a zip archive from an untrusted source: which members it has, and where the bytes of each are.

`zipfile` reads the central directory here and nothing else. The members' own headers are compared with it: no two members may
share a byte, names may not leave a folder, and what comes out may not be out of proportion to the archive.
"""

import io
import os
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from service.workflow.data.formats.compression import archive_errors, most_unpacked
from service.workflow.data.table import Files, Numbers
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

MOST_MEMBERS = 250_000
MOST_DIRECTORY_BYTES = MOST_MEMBERS * 256
LONGEST_PATH = 1024  # characters
METHODS = {zipfile.ZIP_STORED: False, zipfile.ZIP_DEFLATED: True}  # whether it is compressed
_TAIL = 2**16 + 22 + 20 + 56  # the longest comment, and the records at the end
_END, _END64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCATOR_BYTES = 20
_ENCRYPTED, _SIZES_FOLLOW, _PATCH, _STRONG, _UTF8, _MASKED = 0x1, 0x8, 0x20, 0x40, 0x800, 0x2000
_ZIP64 = 0xFFFFFFFF  # the size is in an extra field


@dataclass(frozen=True)
class Directory:
    """The members that are files, sorted by name, and the names of folders. `files` has a row for each member."""

    names: list[str]
    files: Files
    checksums: Numbers  # CRC-32 of what comes out of each, uint32 [n]
    folders: frozenset[str]


def read_directory(path: Path, most_bytes: int) -> Directory:
    """The members of an archive, each checked against its own header.

    Args:
        path: of the archive.
        most_bytes: that may come out of it, of all members together.

    Raises:
        InvalidData: it breaks a rule; the member and the rule are named.
    """
    with archive_errors("the zip file"), path.open("rb") as file:
        _check_end(file)
        with zipfile.ZipFile(file) as archive:
            entries, end = archive.infolist(), archive.start_dir
        if len(entries) > MOST_MEMBERS:
            raise InvalidData(f"the zip file has {len(entries)} entries; {MOST_MEMBERS} are possible")
        for entry in entries:
            _check_entry(entry)
        members = sorted((each for each in entries if not each.is_dir()), key=lambda each: each.filename)
        _check_twins([each.filename for each in members])
        _check_total(members, path, most_bytes)
        offsets = _data_offsets(file, entries, end)
    files = Files(
        path,
        np.array([offsets[each.header_offset] for each in members], np.int64),
        np.array([each.compress_size for each in members], np.int64),
        np.array([each.file_size for each in members], np.int64),
        np.array([METHODS[each.compress_type] for each in members], np.bool_),
        names=[each.filename for each in members],
    )
    checksums = np.array([each.CRC for each in members], np.uint32)
    return Directory([*files.names], files, checksums, frozenset(each.filename for each in entries if each.is_dir()))


def _check_end(file: BinaryIO) -> None:
    """Refuses a directory too large to be read at all: `zipfile` makes an object of each of its entries."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        raise InvalidData("the zip file is cut short, or is none: its end is missing")
    entries, directory = _END.unpack_from(tail, at)[4:6]
    at64 = at - _LOCATOR_BYTES - _END64.size
    if at64 >= 0 and tail.startswith(b"PK\6\7", at - _LOCATOR_BYTES) and tail.startswith(b"PK\6\6", at64):
        entries, directory = _END64.unpack_from(tail, at64)[7:9]
    if entries > MOST_MEMBERS or directory > MOST_DIRECTORY_BYTES:
        raise InvalidData(f"the zip file has {entries} entries; {MOST_MEMBERS} are possible")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    for each in (entry.orig_filename, name):  # which a field with its name in Unicode may change
        if (rule := _broken_rule(each.removesuffix("/"))) is not None:
            raise _refused(each, rule)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(name, "it is a link or a device; only files and folders are possible")
    if entry.flag_bits & (_ENCRYPTED | _STRONG | _MASKED):
        raise _refused(name, "it is encrypted")
    if entry.flag_bits & _PATCH or entry.compress_type not in METHODS:
        raise _refused(name, "it is packed in a way that is not read: store it, or compress it by deflate")
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise _refused(name, "it is stored, and its two sizes differ")
    if entry.is_dir() and entry.file_size:
        raise _refused(name, "it is a folder, and has bytes")


def _broken_rule(name: str) -> str | None:
    """Why a name is refused; None if it is not."""
    if not 1 <= len(name) <= LONGEST_PATH:
        return f"a name has 1 to {LONGEST_PATH} characters"
    if "\\" in name:
        return "its name has a backslash; folders are separated by /"
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in name):
        return "its name has a control character"
    if name.startswith("/") or name[1:2] == ":":
        return "its name is an absolute path"
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "its name has a part that is empty, . or .."
    return None


def _check_twins(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin is not name:
            same = "it is there twice" if twin == name else f"its name differs from {shown(twin)} in case alone"
            raise _refused(name, same)


def _check_total(members: Sequence[zipfile.ZipInfo], path: Path, most_bytes: int) -> None:
    total, most = sum(each.file_size for each in members), most_unpacked(path, most_bytes)
    if total > most:
        largest = max(members, key=lambda each: each.file_size)
        about = f"the largest of them is {shown(largest.filename)}"
        message = f"{total} bytes come out of the zip file, and {most} is the most that is taken of one of its size"
        raise InvalidData(f"{message}; {about}")


def _data_offsets(file: BinaryIO, entries: Sequence[zipfile.ZipInfo], end: int) -> dict[int, int]:
    """Where the bytes of each entry begin, by where its header begins."""
    offsets: dict[int, int] = {}
    free_from = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        if entry.header_offset < free_from:
            raise _refused(entry.filename, "it overlaps another entry")
        start = _data_offset(file, entry)
        free_from = start + entry.compress_size
        if free_from > end:
            raise _refused(entry.filename, "it reaches past the end of the data")
        offsets[entry.header_offset] = start
    return offsets


def _data_offset(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset, os.SEEK_SET)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
        raise _refused(entry.filename, "it has no header of its own")
    _, _, flags, method, _, _, _, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(header)
    name = file.read(name_bytes)
    unlike = (flags ^ entry.flag_bits) & (_ENCRYPTED | _SIZES_FOLLOW | _UTF8) or method != entry.compress_type
    if unlike or name != entry.orig_filename.encode("utf-8" if flags & _UTF8 else "cp437"):
        raise _refused(entry.filename, "its header and the directory differ")
    unknown = (_ZIP64, 0) if flags & _SIZES_FOLLOW else (_ZIP64,)
    if packed not in (entry.compress_size, *unknown) or size not in (entry.file_size, *unknown):
        raise _refused(entry.filename, "its header has other sizes than the directory")
    return entry.header_offset + _LOCAL.size + int(name_bytes) + int(extra_bytes)


def _refused(name: str, rule: str) -> InvalidData:
    return InvalidData(f"the zip file's {shown(name)}: {rule}")
