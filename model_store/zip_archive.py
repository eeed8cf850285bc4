"""Reading a zip file from an untrusted source, whose members are stored without compression, as `write_bundle` writes them.

`zipfile` reads the central directory here and nothing else. The members' own headers and data are read by this file, which
trusts no size: no two members may share a byte, and every byte must belong to one.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from model_store.errors import InvalidBundle

MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = MAX_MEMBERS * 400

_CHUNK = 1024 * 1024
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE = 20
_LOCAL = struct.Struct("<4s5H3L2H")
_SIZES_FOLLOW = 0x8
_FLAGS = _SIZES_FOLLOW | 0x800  # sizes after the data, UTF-8 names
_DOS_DIRECTORY = 0x10
_UNKNOWN = 0xFFFFFFFF  # the size is in a zip64 field


class ZipArchive:
    """The members of one zip file, each checked before its data is read. All methods raise InvalidBundle."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        """Check the directory and every header. `max_bytes` bounds all members together."""
        self._file = file
        _check_end(file)
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                self._directory = archive.start_dir
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            NotImplementedError,
            ValueError,
            struct.error,
            OSError,
        ) as error:
            raise InvalidBundle(None, "it is not a zip file") from error
        if len(members) > MAX_MEMBERS:
            raise InvalidBundle(None, f"it may have at most {MAX_MEMBERS} members")
        for member in members:
            _check_member(member)
        _check_twins([member.filename for member in members])
        if sum(member.file_size for member in members) > max_bytes:
            raise InvalidBundle(None, f"its members may have at most {max_bytes} bytes together")
        self._starts = self._data_starts(members)
        self._members = {member.filename: member for member in members}

    @property
    def sizes(self) -> dict[str, int]:
        """Each member's name and declared size in bytes."""
        return {name: member.file_size for name, member in self._members.items()}

    def read(self, name: str) -> bytes:
        """A whole member. Raises InvalidBundle."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's data in pieces of at most 1 MiB, exactly as many bytes as declared. Raises InvalidBundle."""
        member = self._members[name]
        self._file.seek(self._starts[name])
        left, checksum = member.file_size, 0
        while left:
            chunk = self._file.read(min(left, _CHUNK))
            if not chunk:
                raise InvalidBundle(name, "it ends too early")
            left -= len(chunk)
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if checksum != member.CRC:
            raise InvalidBundle(name, "its checksum is wrong")

    def _data_starts(self, members: list[zipfile.ZipInfo]) -> dict[str, int]:
        """Where each member's data begins; no two members may share a byte, and none may reach into the directory."""
        starts: dict[str, int] = {}
        free_from = 0
        if members and min(member.header_offset for member in members) > 0:
            raise InvalidBundle(None, "it has something before its first member")
        for member in sorted(members, key=lambda member: member.header_offset):
            if member.header_offset < free_from:
                raise InvalidBundle(member.filename, "it overlaps another member")
            start = self._local_header_end(member)
            free_from = start + member.file_size
            if free_from > self._directory:
                raise InvalidBundle(member.filename, "it reaches past the end of the data")
            starts[member.filename] = start
        return starts

    def _local_header_end(self, member: zipfile.ZipInfo) -> int:
        self._file.seek(member.header_offset)
        data = self._file.read(_LOCAL.size)
        if len(data) < _LOCAL.size or not data.startswith(b"PK\3\4"):
            raise InvalidBundle(member.filename, "it has no header of its own")
        name_size: int
        extra_size: int
        _, _, flags, method, _, _, _, packed, size, name_size, extra_size = _LOCAL.unpack(data)
        name = self._file.read(name_size)
        if (flags, method, name) != (member.flag_bits, member.compress_type, member.filename.encode()):
            raise InvalidBundle(member.filename, "its header and the directory differ")
        later = (0, _UNKNOWN) if flags & _SIZES_FOLLOW else (_UNKNOWN,)
        if not {packed, size} <= {member.file_size, *later}:
            raise InvalidBundle(member.filename, "its header declares another size than the directory")
        return member.header_offset + _LOCAL.size + name_size + extra_size


def _check_end(file: BinaryIO) -> None:
    """Refuse a directory too large to be read at all; `zipfile` would make an object of each of its entries."""
    tail_size = _END.size + _LOCATOR_SIZE + _END64.size
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - tail_size))
    tail = file.read(tail_size)
    if len(tail) < _END.size or not tail[-_END.size :].startswith(b"PK\5\6"):
        raise InvalidBundle(None, "it is not a zip file, or has something after its end")
    size = _END.unpack(tail[-_END.size :])[5]
    if tail[_END64.size : -_END.size].startswith(b"PK\6\7") and len(tail) == tail_size:
        if not tail.startswith(b"PK\6\6"):
            raise InvalidBundle(None, "its zip64 end is not where it belongs")
        size = _END64.unpack(tail[: _END64.size])[8]
    if size > MAX_DIRECTORY_BYTES:
        raise InvalidBundle(None, f"it may have at most {MAX_MEMBERS} members")


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    if name != member.filename or not name.isascii():
        raise InvalidBundle(name, "its name is not legal")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or member.external_attr & _DOS_DIRECTORY or name.endswith("/"):
        raise InvalidBundle(name, "it must be a regular file, not a folder, link or device")
    if member.compress_type != zipfile.ZIP_STORED:
        raise InvalidBundle(name, "it must be stored without compression")
    if member.flag_bits & 0x1:
        raise InvalidBundle(name, "it must not be encrypted")
    if member.flag_bits & ~_FLAGS:
        raise InvalidBundle(name, "it uses a zip feature that bundles do not")
    if member.compress_size != member.file_size:
        raise InvalidBundle(name, "its size is not the one declared")


def _check_twins(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin is not name:
            rule = "it is there twice" if twin == name else "its name differs from another's in case alone"
            raise InvalidBundle(name, rule)
