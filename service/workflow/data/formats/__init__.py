"""How each file format is opened: one file a format, one line in the table.

polars is imported only when a file is opened: it starts threads of its own, which the trainer server must not have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.formats import arrow, csv, json_lines, parquet

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Format:
    """How to check a file once, when it is uploaded; how to open it without knowing its columns; and how to read named
    columns in pieces, those with a type at once as that type where the format allows it."""

    check: Callable[[Path], None]
    scan: "Callable[[Path], pl.LazyFrame]"
    frames: "Callable[[Path, Mapping[str, pl.DataType], Sequence[str]], Iterator[pl.DataFrame]]"


FORMATS = {
    "text/csv": Format(csv.check, csv.scan, csv.frames),
    "application/x-ndjson": Format(json_lines.check, json_lines.scan, json_lines.frames),
    "application/vnd.apache.parquet": Format(parquet.check, parquet.scan, parquet.frames),
    "application/vnd.apache.arrow.file": Format(arrow.check, arrow.scan_file, arrow.frames_of_file),
    "application/vnd.apache.arrow.stream": Format(arrow.check, arrow.scan_stream, arrow.frames_of_stream),
}
