"""CSV: lines of cells with a separator between them.

A file is well formed if each line has a cell for each name, and quotes as in RFC 4180. polars reads such a file directly; any
other is rewritten in this form first.
"""

import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.formats.csv_header import Header, read_header
from service.workflow.data.formats.csv_repair import Rows, rewrite_csv
from service.workflow.data.formats.table_file import Batch, TableFile
from service.workflow.data.reading import Reading

if TYPE_CHECKING:
    import polars as pl

ROWS_CHUNK = 16 * 2**20


class CsvFile(TableFile):
    """A well-formed file in UTF-8, whose rows begin at byte `start`."""

    def __init__(
        self, path: Path, head: Header, separator: str, start: int, rows: Rows, *, well_formed: bool = False
    ) -> None:
        self.well_formed = well_formed
        self.names = head.names
        self.notes = [*head.notes, *rows.notes()]
        self.nameless = frozenset(head.names[at] for at in head.nameless)
        self._path, self._separator, self._start = path, separator, start

    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns, in chunks: polars' own batches hold several times as much of the file in memory."""
        import polars as pl

        schema = {f"c{at}": plain.get(name, pl.String()) for at, name in enumerate(self.names)}
        positions = sorted(self.names.index(name) for name in names)
        taken = [self.names[at] for at in positions]
        for chunk in self._whole_rows():
            try:
                frame = self._frame(chunk, schema, positions)
            except pl.exceptions.PolarsError:  # a cell of a plain column is no number; reading the texts finds it
                frame = self._frame(chunk, dict.fromkeys(schema, pl.String()), positions)
            yield {name: frame.to_series(at).alias("") for at, name in enumerate(taken)}

    def _frame(self, rows: bytes, schema: "Mapping[str, pl.DataType]", positions: Sequence[int]) -> "pl.DataFrame":
        import polars as pl

        return pl.read_csv(
            rows,
            has_header=False,
            schema=dict(schema),
            columns=positions,
            separator=self._separator,
            infer_schema=False,
            raise_if_empty=False,
        )

    def _whole_rows(self) -> Iterator[bytes]:
        """The rows in chunks that end with a row: at the end of a line, outside quotes."""
        if self._path.stat().st_size <= self._start:
            return
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            quoted, start = content.find(b'"', self._start) >= 0, self._start
            while start < len(content):
                end = _line_end(content, start + ROWS_CHUNK)
                while quoted and content[start:end].count(b'"') % 2 and end < len(content):
                    end = _line_end(content, end)
                yield content[start:end]
                start = end


def _line_end(content: mmap.mmap, position: int) -> int:
    """The end of the line at this position."""
    return content.find(b"\n", min(position, len(content) - 1)) + 1 or len(content)


def open_csv(path: Path, reading: Reading, scratch: Path) -> CsvFile:
    """Opens a CSV file, rewritten below `scratch` unless it is well formed.

    Raises:
        InvalidData: no header, or a line, named, that has more or fewer cells than the header.
    """
    separator = reading.separator or ","
    head = read_header(path, reading)
    start = _offset_of_line(path, head.first_row)
    # Files of older versions (without `trim`) passed stricter checks when they were uploaded.
    if reading.well_formed or not reading.trim or is_well_formed(path, start, len(head.names), separator):
        return CsvFile(path, head, separator, start, Rows(), well_formed=True)
    made = scratch / "well-formed.csv"
    rows = rewrite_csv(path, head, reading, made)
    return CsvFile(made, head, separator, 0, rows)


def is_well_formed(path: Path, start: int, cells: int, separator: str) -> bool:
    """Whether each line from byte `start` on has this number of cells, one of them not blank, and quotes as in RFC 4180."""
    lines = _lines_of(cells, separator)
    with path.open("rb") as file:
        if path.stat().st_size <= start:
            return True
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = start
            while at < len(content):
                found = lines.match(content, at)
                if found is None:
                    return False
                at = found.end()
    return True


@lru_cache(maxsize=64)
def _lines_of(cells: int, separator: str) -> re.Pattern[bytes]:
    between = re.escape(separator.encode())
    # Possessive quantifiers: no backtracking.
    cell = rb'(?:"(?:[^"]++|"")*+"|[^"\r\n' + between + rb"]*+)"
    empty = rb'[ \t"' + between + rb"]*+(?:\r?\n|\Z)"
    row = rb"(?!" + empty + rb")(?:" + cell + between + rb"){%d}" % (cells - 1) + cell + rb"(?:\r?\n|\Z)"
    return re.compile(rb"(?:" + row + rb"){1,1000}+")


def _offset_of_line(path: Path, line: int) -> int:
    """The byte at which a line begins, counted from 1."""
    with path.open("rb") as file:
        for _ in range(line - 1):
            file.readline()
        return file.tell()
