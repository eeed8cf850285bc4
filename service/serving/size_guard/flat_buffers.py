"""A bounds-checked reader of FlatBuffers (https://flatbuffers.dev/internals/) for Arrow's messages."""

import struct
from collections.abc import Iterator


class Table:
    """A table of a FlatBuffer: fields by number, each perhaps absent."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self._start = data, position
        self._fields = position - read("<i", data, position)
        self._size = read("<H", data, self._fields)

    def at(self, field: int) -> int | None:
        """The position of a field; None if it is absent."""
        entry = 4 + 2 * field
        offset = read("<H", self.data, self._fields + entry) if entry + 2 <= self._size else 0
        return self._start + offset if offset else None

    def number(self, field: int, form: str) -> int:
        """The number of a field, 0 if it is absent; `form` is a format of `struct`."""
        where = self.at(field)
        return 0 if where is None else read(form, self.data, where)

    def table(self, field: int) -> "Table | None":
        """The table of a field; None if it is absent."""
        where = self.at(field)
        return None if where is None else Table(self.data, where + read("<I", self.data, where))

    def vector(self, field: int) -> tuple[int, int]:
        """The number of elements of a vector, and the position of the first."""
        where = self.at(field)
        if where is None:
            return 0, 0
        start = where + read("<I", self.data, where)
        return read("<I", self.data, start), start + 4

    def tables(self, field: int, most: int) -> "Iterator[Table]":
        """The tables of a vector.

        Raises:
            ValueError: there are more than `most`.
        """
        count, first = self.vector(field)
        if count > most:
            raise ValueError
        for where in range(first, first + 4 * count, 4):
            yield Table(self.data, where + read("<I", self.data, where))

    def text(self, field: int) -> bytes:
        """The text there, empty if it is absent."""
        size, start = self.vector(field)
        if start + size > len(self.data):
            raise ValueError
        return self.data[start : start + size]


def read(form: str, data: bytes, position: int) -> int:
    """A number; `form` is a format of `struct`.

    Raises:
        ValueError, struct.error: the position is outside the data.
    """
    if position < 0:  # struct would count from the end
        raise ValueError
    found: int = struct.unpack_from(form, data, position)[0]
    return found
