"""Arrow streams that hold one batch of floats and nothing else, from their bytes to an array without a table between, and back.

Only what polars has read before is read here: a stream whose messages are, byte for byte, those of one that it took. What
they say of the columns is remembered; the numbers are new. So it is with what is written: all but the numbers was written by
polars. https://arrow.apache.org/docs/format/Columnar.html
"""

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.serving.formats.arrow_messages import BATCH, CONTINUED, SCHEMA
from service.serving.formats.flat_buffers import Table, read
from service.serving.instances import MOST_ROWS

END = CONTINUED + b"\0\0\0\0"
FLOATING_POINT = 3  # a kind of type
FLOATS: "dict[int, np.dtype[Any]]" = {1: np.dtype("<f4"), 2: np.dtype("<f8")}  # by their precision
MOST_BYTES = 16 * 2**10  # of the two messages together
MOST_LEARNED = 256
MOST_COLUMNS = 256

Array = np.ndarray[Any, Any]
_BROKEN = (struct.error, ValueError, IndexError, KeyError)


@dataclass(frozen=True)
class _Layout:
    """Where the columns stand in the body of a batch."""

    names: tuple[bytes, ...]
    dtype: "np.dtype[Any]"
    rows: int
    starts: tuple[int, ...]
    size: int  # of the body


@dataclass(frozen=True)
class _Frame:
    """A stream without its numbers."""

    head: bytes  # both messages
    layout: _Layout
    tail: bytes

    def around(self, numbers: Array) -> bytes:
        """The stream with these numbers [rows, columns]."""
        body = bytearray(self.layout.size)
        for column, at in enumerate(self.layout.starts):
            np.frombuffer(body, self.layout.dtype, self.layout.rows, at)[:] = numbers[:, column]
        return b"".join((self.head, body, self.tail))


_learned: OrderedDict[bytes, _Layout] = OrderedDict()  # by the bytes of both messages
# By the columns' names, how many rows, and their type.
_frames: "OrderedDict[tuple[tuple[str, ...], int, np.dtype[Any]], _Frame]" = OrderedDict()
_learning = threading.Lock()  # streams are read and written in threads, too


def learn(stream: bytes) -> None:
    """Remembers what the messages of this stream say, if that is plain. polars must have read it."""
    found = _looked_at(stream)
    if found is not None:
        _remember(_learned, *found)


def learn_to_write(names: tuple[str, ...], numbers: Array, stream: bytes) -> None:
    """Remembers how polars has written these numbers [rows, columns], if that is plain."""
    found = _looked_at(stream)
    if found is not None:
        head, layout = found
        frame = _Frame(head, layout, stream[len(head) + layout.size :])
        if frame.around(numbers) == stream:  # nothing is in it that we do not know of
            _remember(_frames, (names, len(numbers), numbers.dtype), frame)


def stream(names: tuple[str, ...], numbers: Array) -> bytes | None:
    """These numbers [rows, columns] as a stream; None if it is not known how one of so many rows is written."""
    frame = _frames.get((names, len(numbers), numbers.dtype))
    return None if frame is None else frame.around(numbers)


def _remember(known: OrderedDict[Any, Any], key: object, value: object) -> None:
    with _learning:
        known[key] = value
        if len(known) > MOST_LEARNED:
            known.popitem(last=False)


def _looked_at(stream: bytes) -> tuple[bytes, _Layout] | None:
    """Both messages of a stream and what they say; None if that is not plain."""
    try:
        schema = _message_end(stream, 0)
        start = _message_end(stream, schema)
        if start > MOST_BYTES:
            return None
        return stream[:start], _layout(stream[8:schema], stream[schema + 8 : start])
    except _BROKEN:
        return None


def matrix(stream: bytes, names: tuple[bytes, ...]) -> Array | None:
    """The numbers [rows, columns] of a stream, in the order of these names; None if it is not known or has other columns."""
    try:
        start = _message_end(stream, _message_end(stream, 0))
    except _BROKEN:
        return None
    layout = _learned.get(stream[:start]) if start <= MOST_BYTES else None
    if layout is None:
        return None
    end = start + layout.size
    if len(stream) < end or stream[end : end + len(END) + 1] not in (END, b""):
        return None
    if layout.names == names:
        starts = layout.starts
    elif len(names) == len(layout.names) == len(set(layout.names)) and set(names) == set(layout.names):
        starts = tuple(layout.starts[layout.names.index(name)] for name in names)
    else:
        return None
    values = np.empty((layout.rows, len(starts)), layout.dtype)
    for column, at in enumerate(starts):
        values[:, column] = np.frombuffer(stream, layout.dtype, layout.rows, start + at)
    return values


def _message_end(stream: bytes, start: int) -> int:
    """Where the message that starts there ends, and its body begins."""
    if stream[start : start + 4] != CONTINUED:
        raise ValueError
    return start + 8 + read("<I", stream, start + 4)


def _layout(schema: bytes, batch: bytes) -> _Layout:
    """What both messages say. Raises one of `_BROKEN` if that is not plain."""
    fields = list(_fields(_header(schema, SCHEMA)[0]))
    header, size = _header(batch, BATCH)
    rows = header.number(0, "<q")
    starts = list(_starts(header, rows))
    (dtype,) = {dtype for _, dtype in fields}
    if len(starts) != len(fields) or not 0 < rows <= MOST_ROWS:
        raise ValueError
    # Each column is in the body as a whole, so the whole body is there when what follows it is.
    if any(start + rows * dtype.itemsize > min(end, size) for start, end in starts):
        raise ValueError
    return _Layout(tuple(name for name, _ in fields), dtype, rows, tuple(start for start, _ in starts), size)


def _header(metadata: bytes, kind: int) -> tuple[Table, int]:
    """What a message of this kind says, and how many bytes its body has."""
    message = Table(metadata, read("<I", metadata, 0))
    header, size = message.table(2), message.number(3, "<q")
    if header is None or message.number(1, "<B") != kind or size < 0 or (kind == SCHEMA and size):
        raise ValueError
    return header, size


def _fields(schema: Table) -> Iterator[tuple[bytes, "np.dtype[Any]"]]:
    """Name and type of each column; only floats are plain."""
    if schema.number(0, "<h"):  # big-endian
        raise ValueError
    for field in schema.tables(1, MOST_COLUMNS):
        kind = field.table(3)
        if kind is None or field.number(2, "<B") != FLOATING_POINT or field.at(4) is not None or field.vector(5)[0]:
            raise ValueError
        yield field.text(0), FLOATS[kind.number(0, "<h")]


def _starts(batch: Table, rows: int) -> Iterator[tuple[int, int]]:
    """Where the values of each column start and end in the body; nothing is missing or compressed."""
    columns, nodes = batch.vector(1)
    buffers, first = batch.vector(2)
    if batch.at(3) is not None or columns > MOST_COLUMNS or buffers != 2 * columns or batch.vector(4)[0]:
        raise ValueError
    for column in range(columns):
        if struct.unpack_from("<qq", batch.data, nodes + 16 * column) != (rows, 0):
            raise ValueError
        start, size = struct.unpack_from("<qq", batch.data, first + 16 * (2 * column + 1))
        if start < 0 or size < 0:
            raise ValueError
        yield start, start + size
