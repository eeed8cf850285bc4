"""Parquet."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def scan(path: Path, types: "Mapping[str, pl.DataType] | None") -> "pl.LazyFrame":
    """The file as a LazyFrame, the given columns cast."""
    import polars as pl

    frame = pl.scan_parquet(path, glob=False)
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in (types or {}).items())


def check(path: Path) -> None:
    """A Parquet file describes itself: what is wrong shows when it is opened."""
