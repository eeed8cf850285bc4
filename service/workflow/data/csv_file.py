"""CSV files, read by polars, which is imported only when a file is read: it starts threads of its own."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from service.workflow.data.schema import MOST_VALUES_KEPT, Column, ColumnType, Scalar, Schema
from service.workflow.data.table import Table
from service.workflow.errors import InvalidData
from service.workflow.specification import shown

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 10_000
LONGEST_HEADER = 4 * 2**20
HEAD_ROWS = 1000


def survey(path: Path) -> tuple[Schema, list[dict[str, Any]]]:
    """The schema with statistics, and the first rows, of a CSV file with a header.

    Raises:
        InvalidData: it is not UTF-8, has no header or no rows, a row has more fields than the header, …
    """
    frame = _read(path)
    if frame.height == 0:
        raise InvalidData("the file has a header but no rows")
    columns = [_column(frame[name]) for name in frame.columns]
    return Schema(rows=frame.height, columns=columns), frame.head(HEAD_ROWS).to_dicts()


def load(path: Path, names: list[str]) -> Table:
    """The named columns of a CSV file."""
    frame = _read(path).select(names)
    return Table({name: _values(frame[name]) for name in frame.columns})


def check_header(path: Path) -> list[str]:
    """The names in the first line.

    Raises:
        InvalidData: no header, a name that is empty or stands twice, too many columns, not UTF-8.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER + 1)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:LONGEST_HEADER]:
        raise InvalidData("the file is not UTF-8 text; UTF-8 is expected")
    line = start.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    if len(line) > LONGEST_HEADER:
        raise InvalidData(f"the first line is longer than {LONGEST_HEADER} bytes")
    try:
        names = next(csv.reader([line.decode("utf-8").rstrip("\r")]), [])
    except UnicodeDecodeError as error:
        raise InvalidData("the header is not UTF-8 text; UTF-8 is expected") from error
    except csv.Error as error:
        raise InvalidData(f"the header cannot be read as CSV: {error}") from error
    if not names:
        raise InvalidData("the file is empty; a first line with the names of the columns is expected")
    if len(names) > MOST_COLUMNS:
        raise InvalidData(f"the header names {len(names)} columns; at most {MOST_COLUMNS} are possible")
    for position, name in enumerate(names):
        if not name.strip():
            raise InvalidData(f"column {position + 1} has no name in the header")
        if names.index(name) != position:
            raise InvalidData(f"the header names the column {shown(name)} twice")
    return names


def _read(path: Path) -> "pl.DataFrame":
    import polars as pl

    names = check_header(path)
    try:
        frame = pl.read_csv(path, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise InvalidData(f"the file cannot be read as CSV: {_first_line(error)}") from error
    if frame.columns != names:
        raise InvalidData("the header cannot be read as CSV: a quoted name spans lines")
    return frame


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def _column(series: "pl.Series") -> Column:
    import polars as pl

    kind = _type(series.dtype)
    missing = series.null_count() + (int(series.is_nan().sum()) if series.dtype.is_float() else 0)
    present = series.drop_nulls().drop_nans() if series.dtype.is_float() else series.drop_nulls()
    statistics: dict[str, Any] = {"distinct": present.n_unique()}
    if kind == "number" and len(present):
        statistics |= {
            "min": present.min(), "max": present.max(), "mean": present.mean(), "std": present.std(ddof=0)
        }  # fmt: skip
    few = statistics["distinct"] <= MOST_VALUES_KEPT
    return Column(
        name=series.name,
        type=kind,
        integer=kind == "number" and (series.dtype.is_integer() or bool((present == present.round()).all())),
        missing=missing,
        values=[
            _scalar(value) for value in present.cast(pl.String if kind == "datetime" else present.dtype).unique().sort()
        ]
        if few
        else None,
        statistics=statistics,
    )


def _type(dtype: "pl.DataType") -> ColumnType:
    import polars as pl

    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    return "datetime" if dtype.is_temporal() else "category"


def _scalar(value: Any) -> Scalar:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _values(series: "pl.Series") -> np.ndarray[Any, Any]:
    if series.dtype.is_numeric():
        return series.cast(float).fill_null(float("nan")).to_numpy()
    return np.array(series.to_list(), dtype=object)
