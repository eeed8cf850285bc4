"""How each file format is opened: one file a format, one line in the table.

polars is imported only when a file is opened, because it starts threads, which the trainer server must not have.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from service.workflow.data.formats.columnar import open_arrow_file, open_arrow_stream, open_parquet
from service.workflow.data.formats.compression import decompress
from service.workflow.data.formats.csv import open_csv
from service.workflow.data.formats.excel import sheet_as_csv
from service.workflow.data.formats.json_lines import open_json, open_json_lines
from service.workflow.data.formats.table_file import TableFile
from service.workflow.data.formats.text import as_utf8
from service.workflow.data.reading import Reading

CSV = "text/csv"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
ARROW_FILE = "application/vnd.apache.arrow.file"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
# Data sets that are no single table: archives of files, and arrays.
ZIP = "application/zip"
NPZ = "application/x-npz"
NPY = "application/x-npy"
# For messages.
NAMES = {
    CSV: "CSV",
    EXCEL: "an Excel workbook",
    JSON: "JSON",
    JSON_LINES: "JSON Lines",
    PARQUET: "Parquet",
    ARROW_FILE: "an Arrow file",
    ARROW_STREAM: "an Arrow stream",
}

Open = Callable[[Path, Reading, Path], TableFile]


def _text(open_utf8: Open) -> Open:
    """Opens a text in any encoding."""
    return lambda path, reading, scratch: open_utf8(as_utf8(path, reading.encoding, scratch), reading, scratch)


def _open_sheet(path: Path, reading: Reading, scratch: Path) -> TableFile:
    return open_csv(sheet_as_csv(path, reading.sheet, scratch)[0], reading, scratch)


FORMATS: dict[str, Open] = {
    CSV: _text(open_csv),
    EXCEL: _open_sheet,
    JSON: _text(open_json),
    JSON_LINES: _text(open_json_lines),
    PARQUET: open_parquet,
    ARROW_FILE: open_arrow_file,
    ARROW_STREAM: open_arrow_stream,
}
MOST_UNPACKED_BYTES = 64 * 2**30  # the operator's limit was applied when the file was uploaded


@contextmanager
def open_table(path: Path, media_type: str, reading: Reading, scratch: Path) -> Iterator[TableFile]:
    """Opens a file. Temporary copies are in a folder below `scratch`, which is deleted afterwards.

    Raises:
        InvalidData, PolarsError: it is not of this media type.
    """
    with TemporaryDirectory(dir=scratch) as folder:
        if reading.compression is not None:
            path, _ = decompress(path, reading.compression, Path(folder), MOST_UNPACKED_BYTES)
        yield FORMATS[media_type](path, reading, Path(folder))
