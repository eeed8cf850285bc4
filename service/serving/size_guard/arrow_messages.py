"""Checks the sizes that the messages of an Arrow stream or file state against its bytes and the limits.

Readers allocate the stated sizes, so that a forged one could take all memory. Only the fields with sizes of
https://arrow.apache.org/docs/format/Columnar.html are read.
"""

import functools
import struct
from dataclasses import dataclass

from service.serving.limits import MOST_ROWS, MOST_VALUES, invalid
from service.serving.size_guard.flat_buffers import Table, read

MOST_BYTES = 256 * 2**20  # of compressed buffers, once decompressed
MOST_COLUMNS = 16_384
MOST_CACHED = 16 * 2**10
SCHEMA, DICTIONARY, BATCH = 1, 2, 3
LONG = 8
STRUCT = 13  # the number of a type
OF_A_FILE = {b"bytes", b"path"}  # what Hugging Face's data sets have of an image
CONTINUED = b"\xff\xff\xff\xff"  # before each message, except in older streams


@dataclass(frozen=True)
class _Message:
    kind: int
    rows: int
    columns: int
    length: int  # of the body that follows
    compressed: tuple[int, ...]  # where in the body each compressed buffer starts


BROKEN = "the Arrow data are broken or cut short, or have columns in columns"
MARK = b"ARROW1"


def check_stream(stream: bytes) -> int:
    """Checks a stream, and returns its size in bytes once decompressed.

    Raises:
        InvalidInstances: it is broken, states a wrong size, or passes a limit.
    """
    total, position = _Total(), 0
    try:
        while position < len(stream):
            if stream[position : position + 4] == CONTINUED:
                position += 4
            (length,) = struct.unpack_from("<i", stream, position)
            if length == 0:
                break
            position = total.add(stream, position + 4, length)
    except (struct.error, ValueError, IndexError):
        raise invalid(BROKEN) from None
    return total.size or len(stream)


def check_file(file: bytes) -> int:
    """Checks the messages that a file's footer lists, and returns their size in bytes once decompressed.

    Raises:
        InvalidInstances: the file is broken, states a wrong size, or passes a limit.
    """
    size = int.from_bytes(file[-10:-6], "little")
    start = len(file) - 10 - size
    if not (file.startswith(MARK) and file.endswith(MARK) and start >= 8):
        raise invalid("this is no Arrow file, or it is cut short")
    total = _Total()
    try:
        footer = file[start:-10]
        root = Table(footer, read("<I", footer, 0))
        if (schema := root.table(1)) is None:
            raise ValueError
        check_not_nested(schema)
        for field in (2, 3):  # dictionaries and batches
            count, first = root.vector(field)
            for each in range(count):
                position, length, body = struct.unpack_from("<qi4xq", footer, first + 24 * each)
                # A block's length includes the prefix of its message.
                before = 8 if file[position : position + 4] == CONTINUED else 4
                stated = read("<i", file, position + before - 4)
                if not 0 < stated <= length or total.add(file, position + before, stated) > start or body < 0:
                    raise ValueError
    except (struct.error, ValueError, IndexError):
        raise invalid(BROKEN) from None
    return total.size or len(file)


class _Total:
    """The sums of the sizes of all messages."""

    def __init__(self) -> None:
        self._rows = self._values = self.size = 0

    def add(self, data: bytes, position: int, length: int) -> int:
        """Adds the message at a position, and returns the end of its body."""
        if not (0 < length <= len(data) - position and position > 0):
            raise ValueError
        message = (_cached if length <= MOST_CACHED else _message)(data[position : position + length])
        position += length
        if not 0 <= message.length <= len(data) - position:
            raise ValueError
        self.size += sum(max(read("<q", data, position + start), 0) for start in message.compressed)
        self._rows += message.rows
        self._values += message.rows * message.columns
        if self._values > MOST_VALUES:  # missing ones take memory, too
            raise invalid(f"holds more than {MOST_VALUES} values, the most that is taken")
        if self._rows > MOST_ROWS or self.size > MOST_BYTES:
            raise invalid(f"holds more than is taken: {MOST_ROWS} rows, {MOST_BYTES} bytes once decompressed")
        return position + message.length


def _message(metadata: bytes) -> _Message:
    message = Table(metadata, read("<I", metadata, 0))
    kind, header, length = message.number(1, "<B"), message.table(2), message.number(3, "<q")
    if header is None or kind not in (SCHEMA, DICTIONARY, BATCH):
        raise ValueError
    if kind == SCHEMA:
        check_not_nested(header)
        return _Message(kind, 0, 0, length, ())
    batch = header.table(1) if kind == DICTIONARY else header
    if batch is None:
        raise ValueError
    rows = batch.number(0, "<q")
    count, nodes = batch.vector(1)
    lengths = [read("<q", metadata, nodes + 16 * each) for each in range(min(count, MOST_COLUMNS + 1))]
    if count > MOST_COLUMNS or not all(0 <= each <= MOST_ROWS for each in (rows, *lengths)):
        raise invalid(f"a batch declares more than {MOST_ROWS} rows or {MOST_COLUMNS} columns")
    return _Message(kind, rows if kind == BATCH else 0, count, length, _buffers(batch, length))


def _buffers(batch: Table, length: int) -> tuple[int, ...]:
    """Checks that the buffers are in the body, and returns the starts of the compressed ones."""
    count, first = batch.vector(2)
    if count > 3 * MOST_COLUMNS:
        raise ValueError
    starts = []
    for each in range(count):
        start, size = struct.unpack_from("<qq", batch.data, first + 16 * each)
        if start < 0 or size < 0 or start + size > length:
            raise ValueError
        if size >= LONG:
            starts.append(start)
    return tuple(starts) if batch.at(3) is not None else ()


def check_not_nested(schema: Table) -> None:
    """Checks that no column is nested, except in an object `{bytes, path}`, which holds a file: readers recurse without a limit.

    Raises:
        ValueError: one is, or there are too many columns.
    """
    for column in schema.tables(1, MOST_COLUMNS):
        if column.vector(5)[0]:
            inner = list(column.tables(5, len(OF_A_FILE)))
            if column.number(2, "<B") != STRUCT or {each.text(0) for each in inner} != OF_A_FILE:
                raise ValueError
            if any(each.vector(5)[0] for each in inner):
                raise ValueError


_cached = functools.lru_cache(maxsize=256)(_message)  # the same for all requests of the same shape
