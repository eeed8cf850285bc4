"""Parquet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.schema import BATCH_ROWS

if TYPE_CHECKING:
    import polars as pl


def scan(path: Path) -> "pl.LazyFrame":
    """The file as a LazyFrame."""
    import polars as pl

    return pl.scan_parquet(path, glob=False)


def frames(path: Path, types: "Mapping[str, pl.DataType]", names: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The named columns, batch by batch, as the file has them."""
    yield from scan(path).select(names).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)


def check(path: Path) -> None:
    """A Parquet file describes itself: what is wrong shows when it is opened."""
