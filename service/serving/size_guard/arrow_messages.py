"""What the messages of an Arrow stream tell of their sizes, held against the bytes that are there.

A reader allocates what a message tells; one that lies would take all memory, or end the process. Of what
https://arrow.apache.org/docs/format/Columnar.html describes only the few fields are read that tell a size.
"""

import functools
import struct
from dataclasses import dataclass

from service.serving.limits import MOST_ROWS, MOST_VALUES, invalid
from service.serving.size_guard.flat_buffers import Table, read

MOST_BYTES = 256 * 2**20  # of what was compressed
MOST_COLUMNS = 16_384
MOST_CACHED = 16 * 2**10
SCHEMA, DICTIONARY, BATCH = 1, 2, 3
LONG = 8
CONTINUED = b"\xff\xff\xff\xff"  # before each message, but in older streams


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
    """The stream tells the truth about its sizes, and holds no more than is taken. Returns its bytes once decompressed.

    Raises:
        InvalidInstances: it does not.
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
    """The messages that the footer of a file points at tell the truth about their sizes, and hold no more than is taken.
    Returns its bytes once decompressed.

    Raises:
        InvalidInstances: they do not.
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
                # A block's length counts what stands before the message, too.
                before = 8 if file[position : position + 4] == CONTINUED else 4
                told = read("<i", file, position + before - 4)
                if not 0 < told <= length or total.add(file, position + before, told) > start or body < 0:
                    raise ValueError
    except (struct.error, ValueError, IndexError):
        raise invalid(BROKEN) from None
    return total.size or len(file)


class _Total:
    """What the messages told together so far."""

    def __init__(self) -> None:
        self._rows = self._values = self.size = 0

    def add(self, data: bytes, position: int, length: int) -> int:
        """Takes up a message at this position; where its body ends."""
        if not (0 < length <= len(data) - position and position > 0):
            raise ValueError
        message = (_cached if length <= MOST_CACHED else _message)(data[position : position + length])
        position += length
        if not 0 <= message.length <= len(data) - position:
            raise ValueError
        self.size += sum(max(read("<q", data, position + start), 0) for start in message.compressed)
        self._rows += message.rows
        self._values += message.rows * message.columns
        if self._values > MOST_VALUES:  # those that are missing take room, too, once they are read
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
    told = [read("<q", metadata, nodes + 16 * each) for each in range(min(count, MOST_COLUMNS + 1))]
    if count > MOST_COLUMNS or not all(0 <= each <= MOST_ROWS for each in (rows, *told)):
        raise invalid(f"a batch tells of more than {MOST_ROWS} rows or {MOST_COLUMNS} columns")
    return _Message(kind, rows if kind == BATCH else 0, count, length, _buffers(batch, length))


def _buffers(batch: Table, length: int) -> tuple[int, ...]:
    """Checks that the buffers are in the body; where those start that are compressed."""
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
    """No column is made of columns: readers follow them as deep as they go.

    Raises:
        ValueError: one is, or there are too many.
    """
    if any(column.vector(5)[0] for column in schema.tables(1, MOST_COLUMNS)):
        raise ValueError


_cached = functools.lru_cache(maxsize=256)(_message)  # the same for all requests of the same shape
