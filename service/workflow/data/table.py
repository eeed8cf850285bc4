"""A table in memory."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.workflow.data.types.names import TypeName

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Texts:
    """A column of texts: `codes` are positions in `values`, -1 for a missing text (int32 [n])."""

    codes: Numbers
    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Files:
    """A column of files, such as images, whose bytes are parts of one file on the disk: of a zip archive, say.

    `offsets` and `sizes` say where each row's bytes are (int64 [n], -1 and 0 for a missing one), `unpacked` how many there are
    once inflated (int64 [n]), `deflated` which are compressed (bool [n]). `names` are for messages, one for each row.
    """

    path: Path
    offsets: Numbers
    sizes: Numbers
    unpacked: Numbers
    deflated: Numbers
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.offsets)

    def rows(self, positions: Numbers) -> "Files":
        """The rows at these positions (int64 [m]), in this order."""
        offsets, sizes = self.offsets[positions], self.sizes[positions]
        names = [self.names[at] for at in positions.tolist()]
        return Files(self.path, offsets, sizes, self.unpacked[positions], self.deflated[positions], names)

    def read(self, row: int) -> bytes | None:
        """The bytes of a row's file; None if it is missing. Thread-safe.

        Raises:
            OSError: the disk cannot be read.
            zlib.error: the compressed bytes are damaged, or are more than `unpacked` says.
        """
        if self.offsets[row] < 0:
            return None
        with self.path.open("rb") as file:
            file.seek(int(self.offsets[row]))
            found = file.read(int(self.sizes[row]))
        if not self.deflated[row]:
            return found
        inflater, most = zlib.decompressobj(-zlib.MAX_WBITS), int(self.unpacked[row])
        made = inflater.decompress(found, most + 1)
        if len(made) != most:
            raise zlib.error(f"{self.names[row]} has other bytes than its archive says")
        return made


Values = Numbers | Texts | Files  # of a column


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name: texts; files; or numbers, float32 or float64 [n] with NaN for missing values, or arrays
    [n, …] of a type whose values have a shape. Booleans are 0 and 1, times seconds since 1970 (UTC)."""

    columns: Mapping[str, Values]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self, positions: Numbers) -> "Table":
        """The rows at these positions (int64 [m]), in this order."""
        return Table({name: rows_of(column, positions) for name, column in self.columns.items()})


def plain(column: Values) -> Numbers | Texts:
    """A column of numbers or texts, as all types have whose values have no shape."""
    assert not isinstance(column, Files)  # noqa: S101 - such a type keeps no files
    return column


def rows_of(column: Values, positions: Numbers) -> Values:
    """The rows of a column at these positions (int64 [m]), in this order."""
    if isinstance(column, Texts):
        return Texts(column.codes[positions], column.values)
    return column.rows(positions) if isinstance(column, Files) else column[positions]


@dataclass(frozen=True)
class RequestedColumn:
    """How a column is to be read. What a model must hit is kept in full precision, what it learns from in float32."""

    type: TypeName
    exact: bool = False
