"""The header of a safetensors file: which tensors it holds, and where, without reading them.

The format: https://huggingface.co/docs/safetensors#format. 8 bytes have the header's length N (unsigned, little-endian), N bytes
its JSON, the rest are the tensors' bytes, little-endian and in C order.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.strict_json import NotStrictJson, TooManyBrackets, decode
from service.workflow.errors import InvalidData

MOST_BYTES = 100_000_000  # of the JSON, as the library has it
FIRST_BYTES = 64 * 1024  # that are read at once: nearly every header is shorter
LENGTH = 8
METADATA = "__metadata__"
MOST_DIMENSIONS = 64  # as torch has them
MOST_TENSOR_BYTES = 2**63
ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E5M2FNUZ": 1, "F8_E4M3FNUZ": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip

ReadRange = Callable[
    [int, int], bytes
]  # the bytes from the first position up to the second, fewer at the end of the file


@dataclass(frozen=True)
class TensorPlace:
    """A tensor's `dtype`, as the format names it, and shape, and its bytes in the file: from `start` up to `stop`."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """The number of its bytes."""
        return self.stop - self.start

    @property
    def count(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)

    def rows(self, first: int, last: int) -> "TensorPlace":
        """The place of its rows from `first` up to `last`, which is excluded. `0 <= first <= last <= shape[0]`."""
        shape = (last - first, *self.shape[1:])
        start = self.start + math.prod((first, *self.shape[1:])) * ITEM_BYTES[self.dtype]
        return TensorPlace(self.dtype, shape, start, start + math.prod(shape) * ITEM_BYTES[self.dtype])


@dataclass(frozen=True)
class TensorHeader:
    """The tensors of a file by name, in the header's order, and the SHA-256 (hex) of the length and the JSON."""

    tensors: dict[str, TensorPlace]
    sha256: str


def read_header(read: ReadRange, size: int) -> TensorHeader:
    """The header of a file of `size` bytes: one range is read, or two if the header is long.

    Raises:
        InvalidData: the file is not in the format. The tensors must fill it without gaps, each of a known dtype and with as many
            bytes as its shape takes.
    """
    data = read(0, min(size, FIRST_BYTES))
    length = int.from_bytes(data[:LENGTH], "little")
    if len(data) < LENGTH or length > min(MOST_BYTES, size - LENGTH):
        raise InvalidData("the header of the tensors has no valid length")
    begin = LENGTH + length
    data = data[:begin] + (read(len(data), begin) if begin > len(data) else b"")
    return TensorHeader(_tensors(data[LENGTH:], begin, size), hashlib.sha256(data).hexdigest())


def _tensors(text: bytes, begin: int, size: int) -> dict[str, TensorPlace]:
    if not text.startswith(b"{"):
        raise InvalidData("the header of the tensors is no JSON object")
    try:
        entries: dict[str, Any] = decode(text)
    except (NotStrictJson, TooManyBrackets) as error:
        raise InvalidData(f"the header of the tensors: {error}") from error
    metadata = entries.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InvalidData("the metadata in the header of the tensors are not texts by name")
    tensors = {name: _place(name, entry, begin) for name, entry in entries.items()}
    at = begin
    for name, place in sorted(tensors.items(), key=lambda each: (each[1].start, each[1].stop)):
        if place.start != at:
            raise InvalidData(f"the bytes of the tensor {name!r} do not follow those of the one before")
        at = place.stop
    if at != size:
        raise InvalidData("the tensors do not fill their file")
    return tensors


def _place(name: str, entry: Any, begin: int) -> TensorPlace:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise InvalidData(f"the header does not give dtype, shape and data_offsets of the tensor {name!r}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise InvalidData(f"the tensor {name!r} has an unknown dtype")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise InvalidData(f"the shape and the offsets of the tensor {name!r} are not whole numbers from 0")
    start, stop = offsets
    if len(shape) > MOST_DIMENSIONS or math.prod(each or 1 for each in shape) * ITEM_BYTES[dtype] >= MOST_TENSOR_BYTES:
        raise InvalidData(f"the shape of the tensor {name!r} is too large")
    if stop - start != math.prod(shape) * ITEM_BYTES[dtype]:
        raise InvalidData(f"the offsets of the tensor {name!r} do not fit its shape")
    return TensorPlace(dtype, tuple(shape), begin + start, begin + stop)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(each) is int and each >= 0 for each in values)
