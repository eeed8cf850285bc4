"""Columns of a table file whose cells are images: bytes, or objects with `bytes` and `path` as Hugging Face's `datasets` writes
them. The bytes are copied to a file, which is then like an archive of files."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from service.workflow.data.archives.directory import LONGEST_PATH
from service.workflow.data.formats import NAMES, open_table
from service.workflow.data.formats.columnar import ColumnarFile
from service.workflow.data.image_headers import BadImage, read_header
from service.workflow.data.native_errors import native_errors
from service.workflow.data.read import read
from service.workflow.data.schema import Schema
from service.workflow.data.table import Files, RequestedColumn, Table, Values
from service.workflow.errors import InvalidData

BYTES, PATH = "bytes", "path"  # fields of an object that is a file
IMAGE = "image"
TRIED = 100  # cells of a column of bytes, one of which is an image if it holds images


def file_columns(table: ColumnarFile) -> list[str]:
    """The columns of an open file that hold images: objects with bytes, or bytes among whose first cells is an image."""
    return [name for name in table.names if _holds_files(table, name)]


def _holds_files(table: ColumnarFile, name: str) -> bool:
    import polars as pl

    dtype = table.dtypes[name]
    if isinstance(dtype, pl.Struct):
        return any(field.name == BYTES and field.dtype == pl.Binary for field in dtype.fields)
    return dtype == pl.Binary and any(map(_is_image, islice((each for each, _ in _cells(table, name) if each), TRIED)))


def _is_image(content: bytes) -> bool:
    try:
        read_header(content)
    except BadImage:
        return False
    return True


def _cells(table: ColumnarFile, name: str) -> Iterator[tuple[bytes | None, str]]:
    """Each row's bytes, and a name for messages."""
    import polars as pl

    row = 0
    for batch in table.batches([name], {}):
        series, paths = batch[name], None
        if isinstance(series.dtype, pl.Struct):
            fields = [field.name for field in series.dtype.fields]
            paths = series.struct.field(PATH).cast(pl.String).to_list() if PATH in fields else None
            series = series.struct.field(BYTES)
        for at, content in enumerate(series):
            path = None if paths is None else paths[at]
            yield content, f"row {row + 1}{f' ({path[:LONGEST_PATH]})' if path else ''}"
            row += 1


def cell_of(table: ColumnarFile, name: str, row: int) -> bytes | None:
    """The bytes in a cell of a column that holds images, None if there are none."""
    import polars as pl

    series = table.cell(name, row)
    if isinstance(series.dtype, pl.Struct):
        series = series.struct.field(BYTES)
    content: bytes | None = next(iter(series), None)
    return content


def extract(table: ColumnarFile, name: str, path: Path) -> Files:
    """Copies the bytes of a column to a file, one row after another.

    Raises:
        InvalidData: the column cannot be read.
        OSError: the disk is full.
    """
    offsets, sizes, names, at = [], [], [], 0
    with path.open("wb") as file:
        for content, row_name in _cells(table, name):
            offsets.append(-1 if content is None else at)
            sizes.append(0 if content is None else file.write(content))
            names.append(row_name)
            at += sizes[-1]
    size = np.array(sizes, np.int64)
    return Files(path, np.array(offsets, np.int64), size, size, np.zeros(len(names), np.bool_), names)


def read_cells(
    path: Path, media_type: str, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path
) -> Table:
    """The wanted columns of a surveyed file with images. Files below `scratch` belong to the table.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    rows = schema.rows + len(schema.left_out)
    kept = np.delete(np.arange(rows), schema.left_out) if schema.left_out else None
    columns: dict[str, Values] = {}
    own = [name for name, each in wanted.items() if each.type == IMAGE]
    if own:
        with native_errors(NAMES[media_type]), open_table(path, media_type, schema.reading, scratch) as table:
            assert isinstance(table, ColumnarFile)  # noqa: S101 - only such files have images
            for at, name in enumerate(own):
                files = extract(table, name, scratch / f"cells-{at}")
                if len(files) != rows:
                    raise InvalidData(f"the file has other rows than the {rows} that it had when it was uploaded")
                columns[name] = files if kept is None else files.rows(kept)
    others = {name: each for name, each in wanted.items() if name not in columns}
    if others:
        rest = read(path, media_type, schema.model_copy(update={"rows": rows}), others, scratch)
        columns |= (rest if kept is None else rest.rows(kept)).columns
    return Table({name: columns[name] for name in wanted})
