"""Arrow IPC: the file format, and the stream format."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def scan_file(path: Path, types: "Mapping[str, pl.DataType] | None") -> "pl.LazyFrame":
    """The file as a LazyFrame, the given columns cast."""
    import polars as pl

    frame = pl.scan_ipc(path, glob=False)
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in (types or {}).items())


def scan_stream(path: Path, types: "Mapping[str, pl.DataType] | None") -> "pl.LazyFrame":
    """The stream as a LazyFrame, the given columns cast. polars reads a stream whole."""
    import polars as pl

    frame = pl.read_ipc_stream(path).lazy()
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in (types or {}).items())


def check_file(path: Path) -> None:
    """An Arrow file describes itself: what is wrong shows when it is opened."""


def check_stream(path: Path) -> None:
    """An Arrow stream describes itself: what is wrong shows when it is opened."""
