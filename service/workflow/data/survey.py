"""`python -m service.workflow.data.survey FILE MEDIA_TYPE`: reads an uploaded file once, batch by batch, and prints what is
in it as one line of JSON.

A process of its own, so that a file made to break a parser breaks no server, and the server never imports polars.
"""

import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from service.workflow.data.formats import FORMATS, csv
from service.workflow.data.read import first_line
from service.workflow.data.schema import BATCH_ROWS, MOST_COLUMNS, MOST_VALUES_KEPT, Column, ColumnType, Schema
from service.workflow.errors import InvalidData
from service.workflow.specification import shown

if TYPE_CHECKING:
    import polars as pl

HEAD_ROWS = 1000


def survey(path: Path, media_type: str) -> tuple[Schema, list[dict[str, Any]]]:
    """The schema with statistics, and the first rows.

    Raises:
        InvalidData: the file cannot be read, or holds no table; the line or column is named where it is known.
    """
    import polars as pl

    form = FORMATS[media_type]
    form.check(path)
    try:
        frame = form.scan(path)
        surveys = {name: _ColumnSurvey(name, dtype) for name, dtype in frame.collect_schema().items()}
        if not surveys or len(surveys) > MOST_COLUMNS:
            raise InvalidData(f"the file has {len(surveys)} columns; 1 to {MOST_COLUMNS} are possible")
        rows, head = 0, None
        for batch in frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            head = batch.head(HEAD_ROWS) if head is None else head.extend(batch.head(max(0, HEAD_ROWS - rows)))
            rows += batch.height
            for name, each in surveys.items():
                each.add(batch[name])
    except pl.exceptions.PolarsError as error:
        if media_type == "text/csv":
            csv.check_encoding(path)
        raise InvalidData(f"the file cannot be read as {media_type}: {first_line(error)}") from error
    if head is None or not rows:
        raise InvalidData("the file has columns but no rows")
    return Schema(rows=rows, columns=[each.column() for each in surveys.values()]), head.to_dicts()


class _ColumnSurvey:
    """What has been seen of one column so far."""

    def __init__(self, name: str, dtype: "pl.DataType") -> None:
        self.name = name
        self.type = _type(name, dtype)
        self.count = self.missing = 0
        self.integer = self.type == "number"
        self.values: Counter[Any] | None = Counter()
        self.low, self.high = math.inf, -math.inf
        self.mean = self.squares = 0.0  # of the deviations from the mean

    def add(self, batch: "pl.Series") -> None:
        import polars as pl

        present = batch.drop_nulls()
        if self.type == "number":
            present = present.cast(pl.Float64).drop_nans()
            self._add_numbers(present)
        elif self.type in ("datetime", "category"):
            present = present.cast(pl.String)
        self.missing += len(batch) - len(present)
        self.count += len(present)
        if self.values is not None:
            self.values.update(dict(present.value_counts().iter_rows()))
            if len(self.values) > MOST_VALUES_KEPT:
                self.values = None

    def _add_numbers(self, present: "pl.Series") -> None:
        """Mean and squared deviations merged by the method of Chan, Golub and LeVeque (1983)."""
        if not len(present):
            return
        if not bool(present.is_finite().all()):
            raise InvalidData(f"the column {shown(self.name)} holds infinite numbers")
        self.integer = self.integer and bool((present == present.floor()).all())
        low, high, mean = float(present.min()), float(present.max()), float(present.mean())  # type: ignore[arg-type]
        squares, ours, theirs = float(((present - mean) ** 2).sum()), self.count, len(present)
        apart = mean - self.mean
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.mean += apart * theirs / (ours + theirs)
        self.squares += squares + apart * apart * ours * theirs / (ours + theirs)

    def column(self) -> Column:
        statistics: dict[str, Any] = {} if self.values is None else {"distinct": len(self.values)}
        if self.type == "number" and self.count:
            statistics |= {"min": self.low, "max": self.high, "mean": self.mean}
            statistics |= {"std": math.sqrt(self.squares / self.count)}
        values = None if self.values is None else sorted(self.values)
        counts = None if self.values is None or values is None else [self.values[value] for value in values]
        if self.integer and values is not None:
            values = [int(value) for value in values]
        return Column(
            name=self.name,
            type=self.type,
            integer=self.integer,
            missing=self.missing,
            values=values,
            counts=counts,
            statistics=statistics,
        )


def _type(name: str, dtype: "pl.DataType") -> ColumnType:
    import polars as pl

    if dtype.is_numeric() or dtype == pl.Null:
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "datetime"
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Time):
        return "category"
    raise InvalidData(f"the column {shown(name)} holds {dtype}; numbers, texts, booleans and times are possible")


def main(path: str, media_type: str) -> None:
    """Prints `{schema, head}` or `{error}`."""
    try:
        schema, head = survey(Path(path), media_type)
    except InvalidData as error:
        answer: dict[str, object] = {"error": str(error)}
    else:
        answer = {"schema": schema.model_dump(), "head": head}
    sys.stdout.buffer.write(orjson.dumps(answer, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:3])
