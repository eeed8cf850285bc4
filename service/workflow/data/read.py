"""Reads a stored file into a table, batch by batch into arrays of the final size, so that memory holds little more than the
table."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from service.workflow.data.cell import cell
from service.workflow.data.formats import NAMES, open_table
from service.workflow.data.native_errors import is_native, native_errors
from service.workflow.data.schema import Schema, how_of
from service.workflow.data.table import Numbers, RequestedColumn, Table, Texts
from service.workflow.data.types.how import How
from service.workflow.data.types.names import TypeName
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl


def read(path: Path, media_type: str, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path) -> Table:
    """The wanted columns of a surveyed file. Temporary files are below `scratch`.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    rows = schema.rows
    types = {name: COLUMN_TYPES[each.type] for name, each in wanted.items()}
    codes = {name: np.empty(rows, np.int32) for name, each in types.items() if each.texts}
    numbers = {
        name: np.empty(rows, each.dtype(exact=wanted[name].exact)) for name, each in types.items() if not each.texts
    }
    known: dict[str, dict[str, int]] = {name: {} for name in codes}
    done = 0
    for batch in batches(path, media_type, schema, wanted, scratch):
        upto = done + len(next(iter(batch.values())))
        if upto > rows:
            break
        for name, filled in numbers.items():
            filled[done:upto] = batch[name].fill_null(float("nan")).to_numpy()
        for name, filled in codes.items():
            filled[done:upto] = text_codes(batch[name], known[name])
        done = upto
    if done != rows:
        raise InvalidData(f"the file has other rows than the {rows} that it had when it was uploaded")
    texts = {name: Texts(filled, list(known[name])) for name, filled in codes.items()}
    return Table({name: texts[name] if name in texts else numbers[name] for name in wanted})


def batches(
    path: Path, media_type: str, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path
) -> "Iterator[dict[str, pl.Series]]":
    """The wanted columns in batches, as floats or texts.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    import polars as pl

    how = {name: how_of(schema, name) for name in wanted}
    plain: dict[str, pl.DataType] = {}
    for name, each in wanted.items():
        column = schema.column(name)
        if COLUMN_TYPES[each.type].numeric and column is not None and column.type == each.type and column.plain:
            plain[name] = pl.Float64() if each.exact else pl.Float32()
    done = 0
    with native_errors(NAMES[media_type]), open_table(path, media_type, schema.reading, scratch) as file:
        for batch in file.batches(list(wanted), plain):
            made = {name: parsed(name, batch[name], each.type, how[name], done) for name, each in wanted.items()}
            done += len(next(iter(batch.values())))
            yield made


def parsed(name: str, series: "pl.Series", kind: TypeName, how: How, before: int) -> "pl.Series":
    """The values of a batch of a column, which begins after `before` rows.

    Raises:
        InvalidData: a value is not of that type.
    """
    try:
        values = COLUMN_TYPES[kind].parse(series, how)
        if values.null_count() == series.null_count():
            return values
        wrong = (how.present(series) & values.is_null()).arg_true()
    except BaseException as error:
        if not is_native(error):
            raise
        raise _no_value(name, series, kind, how, _first_refused(series, kind, how), before) from error
    if len(wrong):
        raise _no_value(name, series, kind, how, int(wrong[0]), before)
    return values


def _no_value(name: str, series: "pl.Series", kind: TypeName, how: How, row: int, before: int) -> InvalidData:
    import polars as pl

    where = f"the column {shown(name)}, row {before + row + 1}"
    of = COLUMN_TYPES[kind]
    dated = of.dates and series.dtype.base_type() in (pl.Date, pl.Datetime)
    expected = "a date of the years 1 to 9999" if dated else of.wanted(how)
    return InvalidData(f"{where}: {cell(series, row)} is no {kind}; expected {expected}")


def _first_refused(series: "pl.Series", kind: TypeName, how: How) -> int:
    """The position of the first value that cannot be parsed, by bisection."""
    low, high = 0, len(series)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            COLUMN_TYPES[kind].parse(series[low:middle], how)
        except BaseException as error:
            if not is_native(error):
                raise
            high = middle
        else:
            low = middle
    return low


def text_codes(series: "pl.Series", known: dict[str, int]) -> Numbers:
    """The positions of texts in `known`, to which new texts are added; -1 for missing ones."""
    import polars as pl

    distinct = series.drop_nulls().unique(maintain_order=True).to_list()
    for text in distinct:
        known.setdefault(text, len(known))
    if not distinct:
        return np.full(len(series), -1, np.int32)
    positions = [known[text] for text in distinct]
    coded = series.replace_strict(distinct, positions, default=None, return_dtype=pl.Int32)
    return coded.fill_null(-1).to_numpy()
