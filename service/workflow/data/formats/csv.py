"""CSV: UTF-8, a first line with the names of the columns, then one line a row with one field for each."""

import csv
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from service.workflow.data.schema import MOST_COLUMNS
from service.workflow.errors import InvalidData
from service.workflow.specification import shown

if TYPE_CHECKING:
    import polars as pl

LONGEST_HEADER = 4 * 2**20
BOM = b"\xef\xbb\xbf"
CHUNK = 2**20
ROWS_CHUNK = 16 * 2**20


class Content(Protocol):
    """What can be opened and read: a file, or the body of a request."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """From its start."""


def scan(path: Path) -> "pl.LazyFrame":
    """The file as a LazyFrame, its types inferred from the whole of it: that costs several times what reading does."""
    import polars as pl

    return pl.scan_csv(path, infer_schema_length=None, try_parse_dates=True)


def frames(path: Path, types: "Mapping[str, pl.DataType]", names: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The named columns, chunk by chunk; columns without a type are texts. polars' own batches would hold several times
    as much of the file in memory."""
    import polars as pl

    columns = header(path)
    schema = {name: types.get(name, pl.String()) for name in columns}
    positions = [columns.index(name) for name in names]
    for chunk in _whole_rows(path):
        frame = pl.read_csv(
            chunk, has_header=False, schema=schema, columns=positions, infer_schema=False, raise_if_empty=False
        )
        yield frame.select(names)


def _whole_rows(path: Path) -> Iterator[bytes]:
    """The file after its header in chunks that end where a row ends: at a line's end outside of quotes."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        quoted, start = content.find(b'"') >= 0, _line_end(content, 0)
        while start < len(content):
            end = _line_end(content, start + ROWS_CHUNK)
            while quoted and content[start:end].count(b'"') % 2 and end < len(content):
                end = _line_end(content, end)
            yield content[start:end]
            start = end


def _line_end(content: mmap.mmap, position: int) -> int:
    """Where the line ends that this position is in."""
    return content.find(b"\n", min(position, len(content) - 1)) + 1 or len(content)


def check(path: Content) -> None:
    """What polars would read without a word, or not say clearly.

    Raises:
        InvalidData: a bad header; a line, named, that is not UTF-8, or has more or fewer fields than the header.
    """
    names = header(path)
    if len(names) == 1:
        return  # an empty line is a missing value, and any other is one field
    commas, lines, quotes, last = 0, 0, 0, b""
    for last in _chunks(path):
        commas, lines, quotes = commas + last.count(b","), lines + last.count(b"\n"), quotes + last.count(b'"')
    lines += not last.endswith(b"\n")
    if quotes or commas != lines * (len(names) - 1):
        _check_each_row(path, len(names))


def header(path: Content) -> list[str]:
    """The names in the first line.

    Raises:
        InvalidData: no header, a name that is empty or stands twice, too many columns, not UTF-8.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER + 1)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise InvalidData("the file is not UTF-8 text; UTF-8 is expected")
    line = start.removeprefix(BOM).split(b"\n", 1)[0]
    if len(line) > LONGEST_HEADER:
        raise InvalidData(f"the first line is longer than {LONGEST_HEADER} bytes")
    if line.count(b'"') % 2:
        raise InvalidData("the header cannot be read: a quoted name spans lines")
    try:
        names = next(csv.reader([line.decode("utf-8").rstrip("\r")]), [])
    except UnicodeDecodeError:
        raise InvalidData("the header is not UTF-8 text; UTF-8 is expected") from None
    except csv.Error as error:
        raise InvalidData(f"the header cannot be read: {error}") from None
    if not names:
        raise InvalidData("the file is empty; a first line with the names of the columns is expected")
    if len(names) > MOST_COLUMNS:
        raise InvalidData(f"the header names {len(names)} columns; at most {MOST_COLUMNS} are possible")
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name.strip():
            raise InvalidData(f"column {position + 1} has no name in the header")
        if name in seen:
            raise InvalidData(f"the header names the column {shown(name)} twice")
        seen.add(name)
    return names


def _check_each_row(path: Content, fields: int) -> None:
    """Row by row with Python's reader: slower, but it knows quotes and can name the line."""
    csv.field_size_limit(2**24)
    reader = csv.reader(_lines(path))
    try:
        for row in reader:
            if row and len(row) != fields:
                message = f"line {reader.line_num} has {len(row)} fields, and the header names {fields}"
                raise InvalidData(message)
    except csv.Error as error:
        raise InvalidData(f"line {reader.line_num} cannot be read as CSV: {error}") from None


def _lines(path: Content) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError:
                raise InvalidData(f"line {number} is not UTF-8 text; one encoding, UTF-8, is expected") from None


def check_encoding(path: Content) -> None:
    """Names the first line that is not UTF-8.

    Raises:
        InvalidData: there is one.
    """
    for _ in _lines(path):
        pass


def _chunks(path: Content) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
