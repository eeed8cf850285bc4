"""Formats with typed columns: Parquet, and Arrow IPC as a file and as a stream."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.formats.table_file import Batch, TableFile
from service.workflow.data.native_errors import DAMAGED, is_native
from service.workflow.data.reading import Reading
from service.workflow.data.schema import BATCH_ROWS
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

LARGE_ROWS = 256  # of columns with bytes, such as images, in memory at a time


class ColumnarFile(TableFile):
    """A file with typed columns."""

    typed = True

    def __init__(self, frame: "pl.LazyFrame") -> None:
        self._frame = frame
        self.dtypes = dict(frame.collect_schema())
        self.names = list(self.dtypes)

    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns with the types of the file. Raises InvalidData for a column that cannot be read."""
        try:
            yield from self._batches(names)
        except BaseException as error:
            if not is_native(error):
                raise
            self._check_each(names)
            raise

    def cell(self, name: str, row: int) -> "pl.Series":
        """One cell of a column, [1]; [0] if there is no such row."""
        import polars as pl

        return self._frame.select(pl.nth(self.names.index(name))).slice(row, 1).collect().to_series(0)

    def _check_each(self, names: Sequence[str]) -> None:
        """Reads the columns one by one to find one that cannot be read."""
        for name in names:
            rows = 0
            try:
                for batch in self._batches([name]):
                    rows += len(batch[name])
            except BaseException as error:
                if not is_native(error):
                    raise
                message = f"the column {shown(name)} cannot be read from row {rows + 1} on: {DAMAGED}"
                raise InvalidData(message) from error

    def _batches(self, names: Sequence[str]) -> "Iterator[Batch]":
        import polars as pl

        # By position, because polars reads the name `^a$` as a pattern and `*` as all columns.
        chosen = [pl.nth(self.names.index(name)) for name in names]
        large = any(self.dtypes[name].is_nested() or self.dtypes[name] == pl.Binary for name in names)
        rows = LARGE_ROWS if large else BATCH_ROWS
        for frame in self._frame.select(chosen).collect_batches(chunk_size=rows, maintain_order=True):
            yield {name: frame.to_series(at).alias("") for at, name in enumerate(names)}


def open_parquet(path: Path, reading: Reading, scratch: Path) -> ColumnarFile:
    """Opens a Parquet file."""
    import polars as pl

    return ColumnarFile(pl.scan_parquet(path, glob=False))


def open_arrow_file(path: Path, reading: Reading, scratch: Path) -> ColumnarFile:
    """Opens an Arrow IPC file."""
    import polars as pl

    return ColumnarFile(pl.scan_ipc(path, glob=False))


def open_arrow_stream(path: Path, reading: Reading, scratch: Path) -> ColumnarFile:
    """Opens an Arrow IPC stream, which polars reads into memory."""
    import polars as pl

    return ColumnarFile(pl.read_ipc_stream(path).lazy())
