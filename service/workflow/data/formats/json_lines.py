"""JSON Lines: one object a line; a name that an object lacks is a missing value."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from service.workflow.data.schema import BATCH_ROWS
from service.workflow.errors import InvalidData

if TYPE_CHECKING:
    import polars as pl


def scan(path: Path) -> "pl.LazyFrame":
    """The file as a LazyFrame, its types inferred from the whole of it."""
    import polars as pl

    return pl.scan_ndjson(path, infer_schema_length=None)


def frames(path: Path, types: "Mapping[str, pl.DataType]", names: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The named columns, batch by batch."""
    import polars as pl

    scanned = pl.scan_ndjson(path, schema_overrides=dict(types), infer_schema_length=None)
    yield from scanned.select(names).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)


def check(path: Path) -> None:
    """Every line is one object of scalars.

    Raises:
        InvalidData: a line, named, is none.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InvalidData(f"line {number} is not JSON: {error}") from None
            if not isinstance(row, dict) or any(isinstance(value, dict | list) for value in row.values()):
                raise InvalidData(f"line {number} is not an object of numbers, texts, booleans and nulls")
