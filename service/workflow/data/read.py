"""From a stored file to a table: batch by batch into arrays of the final size, so that little more than the table itself
is ever in memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from service.workflow.data.formats import FORMATS
from service.workflow.data.table import Numbers, Table, Texts, Wanted
from service.workflow.errors import InvalidData
from service.workflow.specification import shown

if TYPE_CHECKING:
    import polars as pl


def read(path: Path, media_type: str, rows: int, wanted: Mapping[str, Wanted]) -> Table:
    """The wanted columns of a file that has so many rows.

    Raises:
        InvalidData: a value is not of the wanted type; the column is named.
    """
    numbers = {name: np.empty(rows, each.dtype) for name, each in wanted.items() if each.type != "category"}
    codes = {name: np.empty(rows, np.int32) for name, each in wanted.items() if each.type == "category"}
    known: dict[str, dict[str, int]] = {name: {} for name in codes}
    done = 0
    for batch in batches(path, media_type, wanted):
        upto = done + batch.height
        for name, filled in numbers.items():
            filled[done:upto] = _numbers(batch[name])
        for name, filled in codes.items():
            filled[done:upto] = text_codes(batch[name], known[name])
        done = upto
    if done != rows:
        raise InvalidData(f"the file has {done} rows, and had {rows} when it was uploaded")
    texts = {name: Texts(filled, list(known[name])) for name, filled in codes.items()}
    return Table({name: texts[name] if name in texts else numbers[name] for name in wanted})


def batches(path: Path, media_type: str, wanted: Mapping[str, Wanted]) -> "Iterator[pl.DataFrame]":
    """The wanted columns in batches, each already of its wanted type.

    Raises:
        InvalidData: a value is not of the wanted type; the column is named.
    """
    import polars as pl

    try:
        for frame in FORMATS[media_type].frames(path, _parsed_as(wanted), list(wanted)):
            made = frame.select([_as_wanted(name, each, frame.schema[name]) for name, each in wanted.items()])
            _check_times(frame, made, wanted)
            yield made
    except pl.exceptions.PolarsError as error:
        raise InvalidData(f"a column cannot be read as asked: {first_line(error)}") from error


def _check_times(frame: "pl.DataFrame", made: "pl.DataFrame", wanted: Mapping[str, Wanted]) -> None:
    for name, each in wanted.items():
        if each.type == "datetime" and made[name].null_count() > frame[name].null_count():
            raise InvalidData(f"the column {shown(name)} holds texts that are no dates or times in ISO 8601")


def first_line(error: Exception) -> str:
    """What polars says, without its advice."""
    return str(error).strip().split("\n", 1)[0][:300]


def _parsed_as(wanted: Mapping[str, Wanted]) -> "dict[str, pl.DataType]":
    """Types that the text formats parse into at once; the others are cast afterwards."""
    import polars as pl

    types: dict[str, pl.DataType] = {}
    for name, each in wanted.items():
        if each.type == "category":
            types[name] = pl.String()
        elif each.type == "number":
            types[name] = pl.Float64() if each.exact else pl.Float32()
    return types


def _as_wanted(name: str, wanted: Wanted, dtype: "pl.DataType") -> "pl.Expr":
    import polars as pl

    column = pl.col(name)
    match wanted.type:
        case "category":
            return column.cast(pl.String)
        case "datetime":
            if dtype == pl.String:
                dates = column.str.to_date(strict=False).cast(pl.Datetime("us", "UTC"))
                column = column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).fill_null(dates)
            return column.dt.epoch("us").cast(pl.Float64).map_batches(seconds_of, return_dtype=pl.Float64)
        case "boolean":
            if dtype == pl.String:
                column = column.str.to_lowercase().replace_strict({"true": True, "false": False})
            return column.cast(pl.Boolean).cast(pl.Float64 if wanted.exact else pl.Float32)
        case "number":
            return column.cast(pl.Float64 if wanted.exact else pl.Float32)


def seconds_of(microseconds: "pl.Series") -> "pl.Series":
    """Divides as JSON's times are divided. polars multiplies by 1e-6, which is another number in the last place."""
    import polars as pl

    return pl.Series(microseconds.name, np.divide(microseconds, 1e6))


def _numbers(series: "pl.Series") -> Numbers:
    return series.fill_null(float("nan")).to_numpy() if series.null_count() else series.to_numpy()


def text_codes(series: "pl.Series", known: dict[str, int]) -> Numbers:
    """Positions among the known texts, which grow by those that are new."""
    import polars as pl

    distinct = series.drop_nulls().unique(maintain_order=True).to_list()
    for text in distinct:
        known.setdefault(text, len(known))
    if not distinct:
        return np.full(len(series), -1, np.int32)
    positions = [known[text] for text in distinct]
    coded = series.replace_strict(distinct, positions, default=None, return_dtype=pl.Int32)
    return coded.fill_null(-1).to_numpy()
