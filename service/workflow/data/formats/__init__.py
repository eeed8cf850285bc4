"""How each file format is opened: one file a format, one line in the table.

Each gives a polars LazyFrame, so that a file is read in batches and never whole. polars is imported only when a file is
opened: it starts threads of its own, which the trainer server must not have.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.formats import arrow, csv, json_lines, parquet

if TYPE_CHECKING:
    import polars as pl

Scan = Callable[[Path, Mapping[str, "pl.DataType"] | None], "pl.LazyFrame"]

# By media type: how to check a file once, when it is uploaded, and how to open it. `scan` takes the types that some
# columns are to be read as.
FORMATS: dict[str, tuple[Callable[[Path], None], Scan]] = {
    "text/csv": (csv.check, csv.scan),
    "application/x-ndjson": (json_lines.check, json_lines.scan),
    "application/vnd.apache.parquet": (parquet.check, parquet.scan),
    "application/vnd.apache.arrow.file": (arrow.check_file, arrow.scan_file),
    "application/vnd.apache.arrow.stream": (arrow.check_stream, arrow.scan_stream),
}
