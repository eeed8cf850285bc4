"""Arrays in files of NumPy from an untrusted source, mapped from the disk. Nothing is unpickled.

Source: NEP 1, "A simple file format for NumPy arrays".
"""

import math
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from service.workflow.data.archives.directory import Directory, read_directory
from service.workflow.data.formats import NPZ
from service.workflow.data.formats.compression import CHUNK
from service.workflow.data.table import Numbers
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

MAGIC = b"\x93NUMPY"
SUFFIX = ".npy"
FEATURES, TARGET = "x", "y"
_WORDS = {
    "O": "Python objects, which are code: nothing is unpickled here",
    "c": "complex numbers",
    "V": "records of several fields",
    "M": "times; save them as seconds",
    "m": "durations; save them as seconds",
}
_FLOAT_BYTES = 8  # larger ones depend on the machine


def is_array(path: Path) -> bool:
    """Whether a file is one array of NumPy."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def is_archive_of_arrays(names: list[str]) -> bool:
    """Whether a zip file with these names is a file of NumPy's `savez`."""
    return bool(names) and all(name.endswith(SUFFIX) for name in names)


def open_arrays(path: Path, media_type: str, scratch: Path, most_bytes: int) -> tuple[dict[str, Numbers], list[str]]:
    """The arrays `x`, and `y` if there is one, read when they are used; and notes on others.

    Args:
        path: of one array, which is `x`, or of an archive of arrays.
        scratch: the folder for arrays that are compressed.
        most_bytes: that may come out of an archive.

    Raises:
        InvalidData: they cannot be read, there is no `x`, or their rows differ in number.
    """
    if media_type != NPZ:
        return _checked({FEATURES: _mapped(path, 0, path.stat().st_size, FEATURES)}), []
    directory = read_directory(path, most_bytes)
    names = [name.removesuffix(SUFFIX) for name in directory.names]
    if FEATURES not in names:
        have = ", ".join(map(shown, names[:20])) or "none"
        raise InvalidData(f"the file has no array {FEATURES!r}, the features, but {have}; {TARGET!r} is the target")
    others = [name for name in names if name not in (FEATURES, TARGET)]
    notes = [f"arrays other than x and y are left out: {', '.join(map(shown, others[:20]))}"] if others else []
    found = {name: _member(directory, names.index(name), name, scratch) for name in (FEATURES, TARGET) if name in names}
    return _checked(found), notes


def _checked(arrays: dict[str, Numbers]) -> dict[str, Numbers]:
    x, y = arrays[FEATURES], arrays.get(TARGET)
    if x.dtype.kind not in "biuf":
        raise InvalidData(f"the array {FEATURES!r} has {x.dtype}, and numbers are expected")
    if not 2 <= x.ndim <= 5:
        hint = "; one number a row is [n, 1]" if x.ndim == 1 else ""
        raise InvalidData(f"the array {FEATURES!r} has {x.ndim} dimensions; 2 to 5 are possible, rows first{hint}")
    if y is None:
        return arrays
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InvalidData(f"the array {TARGET!r} has the shape {[*y.shape]}; one value a row is expected")
    if len(x) != len(y):
        raise InvalidData(f"the array {FEATURES!r} has {len(x)} rows, and {TARGET!r} has {len(y)}")
    return {**arrays, TARGET: y}


def _member(directory: Directory, at: int, name: str, scratch: Path) -> Numbers:
    files = directory.files
    path, offset, size = files.path, int(files.offsets[at]), int(files.unpacked[at])
    checksum = int(directory.checksums[at])
    if files.deflated[at]:
        made = scratch / f"{name}{SUFFIX}"
        found = _inflate(path, offset, int(files.sizes[at]), size, made)
        path, offset = made, 0
    else:
        found = _checksum(path, offset, size)
    if found != checksum:
        raise InvalidData(f"the array {name!r} is damaged: its checksum or its size is another than the file says")
    return _mapped(path, offset, size, name)


def _inflate(path: Path, offset: int, packed: int, size: int, made: Path) -> int | None:
    """Writes what comes out of a part of a file. Returns its CRC-32; None if it is no deflate data or of another size."""
    inflater, checksum, left = zlib.decompressobj(-zlib.MAX_WBITS), 0, size
    with path.open("rb") as file, made.open("wb") as out:
        file.seek(offset)
        try:
            while packed and left >= 0:
                given = file.read(min(CHUNK, packed))
                packed -= len(given)
                while given and left >= 0:
                    content = inflater.decompress(given, CHUNK)
                    given, left = inflater.unconsumed_tail, left - len(content)
                    checksum = zlib.crc32(content, checksum)
                    out.write(content)
        except zlib.error:
            return None
    return checksum if left == 0 else None


def _checksum(path: Path, offset: int, size: int) -> int:
    checksum = 0
    with path.open("rb") as file:
        file.seek(offset)
        while size and (content := file.read(min(CHUNK, size))):
            size -= len(content)
            checksum = zlib.crc32(content, checksum)
    return checksum


def _mapped(path: Path, offset: int, size: int, name: str) -> Numbers:
    """The array in a part of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        shape, fortran, dtype = _header(file, name)
        header = file.tell() - offset
    if dtype.kind in _WORDS or (dtype.kind == "f" and dtype.itemsize > _FLOAT_BYTES):
        what = _WORDS.get(dtype.kind, f"{dtype}, which depends on the machine")
        raise InvalidData(f"the array {name!r} has {what}; numbers, booleans and texts are read")
    if dtype.itemsize == 0 or min(shape, default=0) < 1:
        raise InvalidData(f"the array {name!r} of the shape {[*shape]} is empty; rows are expected")
    if math.prod(shape) * dtype.itemsize != size - header:
        message = f"the array {name!r} says that its shape is {[*shape]} of {dtype}, and {size - header} bytes follow"
        raise InvalidData(f"{message}: it is cut short, or its header is wrong")
    return np.memmap(path, dtype, "r", offset + header, shape, "F" if fortran else "C")


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)  # at most 10,000 characters, as a literal
    except OSError:
        raise
    except Exception:  # of several parsers, about bytes of a stranger
        raise InvalidData(f"the array {name!r} has no header as NumPy's save writes it") from None
    if any(isinstance(each, bool) for each in shape):
        raise InvalidData(f"the array {name!r} has no shape of whole numbers")
    return shape, fortran, dtype
