"""Checks the sizes that the pages of a Parquet file state against the limits of one request.

A few bytes can expand to gigabytes: in a compressed page, in a page that repeats one value, in texts that share a prefix with
the one before. Only the fields with sizes of https://parquet.apache.org/docs/file-format/ are read.
"""

from typing import Any

from service.serving.limits import MOST_ROWS, MOST_VALUES, invalid

MARK = b"PAR1"
MOST_BYTES = 256 * 2**20  # of all pages, decompressed
MOST_DEPTH = 8
# PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, RLE_DICTIONARY and
# BYTE_STREAM_SPLIT; not DELTA_BYTE_ARRAY, by which a megabyte of text can be repeated with two bytes.
ENCODINGS = frozenset((0, 2, 3, 4, 5, 6, 8, 9))
REPEATED = 2
OF_A_FILE = {b"bytes", b"path"}  # what Hugging Face's data sets have of an image


def check(body: bytes) -> int:
    """Checks a file, and returns the size of its pages in bytes once decompressed.

    Raises:
        InvalidInstances: it is broken, has nested columns, or passes a limit.
    """
    size = int.from_bytes(body[-8:-4], "little")
    start = len(body) - 8 - size
    if not (body.startswith(MARK) and body.endswith(MARK) and start >= 4):
        raise invalid("this is no Parquet file, or it is cut short")
    try:
        return _check_columns(body, _Thrift(body, start, len(body) - 8).struct())
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        raise invalid(
            "the Parquet file is broken, or has columns in columns or an encoding that is not taken"
        ) from None


def _check_columns(body: bytes, footer: dict[int, Any]) -> int:
    leaves = _leaves(footer[2])
    rows, size = 0, 0
    if footer[3] * len(leaves) > MOST_VALUES:  # missing ones take memory, too
        raise invalid(f"holds {footer[3]} rows of {len(leaves)} columns; at most {MOST_VALUES} values are taken")
    for group in footer[4]:
        if len(group[1]) != len(leaves) or group[3] < 0:
            raise ValueError
        rows += group[3]
        for column in group[1]:
            size += _decompressed(body, column[3], group[3])
            if rows > MOST_ROWS or size > MOST_BYTES:
                raise invalid(f"holds more than is taken: {MOST_ROWS} rows, {MOST_BYTES} bytes once decompressed")
    if rows != footer[3]:
        raise ValueError
    return size


def _leaves(schema: list[dict[int, Any]]) -> list[dict[int, Any]]:
    """The columns. None is in another, except in an object `{bytes, path}`, which holds a file.

    Raises:
        ValueError: one is, or repeats.
    """
    root, *others = schema
    leaves, columns = [], 0
    while others:
        first, *others = others
        if first.get(5):
            inner, others = others[:2], others[2:]
            if first[5] != len(inner) or {each[4] for each in inner} != OF_A_FILE or first.get(3) == REPEATED:
                raise ValueError
        else:
            inner = [first]
        leaves += inner
        columns += 1
    if root.get(5, 0) != columns or any(each.get(5) or each.get(3) == REPEATED for each in leaves):
        raise ValueError
    return leaves


def _decompressed(body: bytes, column: dict[int, Any], rows: int) -> int:
    """The size of a column's pages in bytes once decompressed, as they state it."""
    start = column.get(11, column[9])
    end = start + column[7]
    if not (4 <= start <= column[9] <= end <= len(body)) or column[5] != rows:
        raise ValueError
    size = values = 0
    while start < end:
        thrift = _Thrift(body, start, end)
        page = thrift.struct()
        header: Any = page.get(5) or page.get(7) or page.get(8)
        encoding = header[4 if 8 in page else 2]
        if page[2] < 0 or page[3] < 0 or header[1] < 0 or encoding not in ENCODINGS:
            raise ValueError
        size += int(page[2])
        if 7 not in page:
            values += header[1]
        elif header[1] > MOST_ROWS:
            raise ValueError
        start = thrift.position + page[3]
        if size > MOST_BYTES:
            return size
    if start != end or values != rows:
        raise ValueError
    return size


class _Thrift:
    """A reader of Thrift's compact protocol, as Parquet's footer and page headers use it. Its output is bounded by the bytes
    it reads: a count beyond them raises IndexError."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self._data, self.position, self._end = data, position, end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct by number."""
        if depth > MOST_DEPTH:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._varint()
                inner = head & 15
                return [self._byte() if inner in (1, 2) else self._value(inner, depth + 1) for _ in range(count)]
            case 12:
                return self.struct(depth + 1)
        raise ValueError

    def _byte(self) -> int:
        if self.position >= self._end:
            raise IndexError
        self.position += 1
        return self._data[self.position - 1]

    def _bytes(self, count: int) -> bytes:
        if count > self._end - self.position:
            raise IndexError
        self.position += count
        return self._data[self.position - count : self.position]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
