"""Arrow IPC: the file format, and the stream format."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.workflow.data.schema import BATCH_ROWS

if TYPE_CHECKING:
    import polars as pl


def scan_file(path: Path) -> "pl.LazyFrame":
    """The file as a LazyFrame."""
    import polars as pl

    return pl.scan_ipc(path, glob=False)


def scan_stream(path: Path) -> "pl.LazyFrame":
    """The stream as a LazyFrame. polars reads a stream whole."""
    import polars as pl

    return pl.read_ipc_stream(path).lazy()


def frames_of_file(path: Path, types: "Mapping[str, pl.DataType]", names: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The named columns, batch by batch, as the file has them."""
    yield from scan_file(path).select(names).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)


def frames_of_stream(path: Path, types: "Mapping[str, pl.DataType]", names: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The named columns, as the stream has them."""
    import polars as pl

    yield pl.read_ipc_stream(path, columns=list(names)).select(names)


def check(path: Path) -> None:
    """An Arrow file or stream describes itself: what is wrong shows when it is opened."""
