"""Converts columns to raw features: what all formats but JSON share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from service.serving.codecs.input_values import (
    RowErrors,
    from_distinct,
    from_texts,
    from_values,
    largest_number,
    missing_errors,
    out_of_range,
)
from service.serving.codecs.instances import check_names
from service.serving.codecs.shaped_values import raw_of, read_values
from service.serving.limits import check_rows, invalid
from service.workflow.data.native_errors import quiet
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.stored_types import in_words
from service.workflow.encode import raw_dtype
from service.workflow.errors import Fault, InvalidInstances, step
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Input, Signature
from service.workflow.spec_base import MOST_FAULTS, shown

if TYPE_CHECKING:
    import polars as pl

LONG_TEXTS = 2**22  # bytes of a column's texts, from which on each distinct one is converted once
MANY = 10_000  # rows from which on each distinct value is converted once; for fewer that takes longer
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800  # in seconds since 1970
A_SECOND = {
    "ms": 1e3,
    "us": 1e6,
    "ns": 1e6,
}  # in units; nanoseconds are rounded down to microseconds, as in JSON's times


@contextmanager
def polars_called(broken: str) -> Iterator[Any]:
    """Imports polars. Its errors, including panics, which are no `Exception`, become InvalidInstances with this message."""
    import polars

    try:
        with quiet():
            yield polars
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError, ValueError):
        raise invalid(broken) from None


def from_frame(signature: Signature, frame: "pl.DataFrame", missing_allowed: bool, as_text: bool = False) -> Tensors:
    """Raw features from a table with the inputs' names; columns of targets are ignored. With `as_text` texts are
    parsed as values of the input's type, as in CSV.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    schema = frame.schema  # polars makes it on each access
    check_names(signature, schema)
    check_rows(frame.height, len(signature.inputs))
    names = [each.name for each in signature.inputs]
    numbers = all(each.type == "number" for each in signature.inputs) and not signature.has_missing_numbers
    if numbers and all(_is_number(schema[name]) for name in names):
        ordered = frame if frame.columns == names else frame.select(names)
        return from_matrix(signature, ordered.to_numpy(order="c"), missing_allowed)
    faults: list[Fault] = []
    columns: dict[str, Numbers | Texts | torch.Tensor] = {}
    most = largest_number(signature.inputs)
    for each in signature.inputs:
        series = frame[each.name].alias("")  # without its name, which polars may interpret
        if each.shape is not None:
            columns[each.name], wrong = read_values(each, _values(series))
            faults += [Fault(f"{step(each.name)}/{row}", wrong[row]) for row in sorted(wrong)]
            continue
        if _is_of_no_type(series.dtype):
            faults.append(
                Fault(step(each.name), f"holds {in_words(series.dtype)}; a column of {each.type}s is expected")
            )
            continue
        with polars_called(f"the column {shown(each.name)} cannot be read"):
            column, wrong = _column(each, series, as_text, most)
        if not missing_allowed:
            wrong = missing_errors(column, wrong)
        faults += [Fault(f"{step(each.name)}/{row}", wrong[row]) for row in sorted(wrong)[:MOST_FAULTS]]
        columns[each.name] = column
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])
    return raw_of(signature, columns)


def from_matrix(signature: Signature, matrix: Numbers, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, w] from numbers [n, inputs], NaN for missing, where every input is a number or a boolean.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    if signature.has_missing_numbers:
        columns = [_without_markers(matrix[:, at].astype(np.float64), each) for at, each in enumerate(signature.inputs)]
        matrix = np.stack(columns, axis=1)
    # Through float64, as everywhere: a large integer may round to another float32 directly.
    wide = matrix if matrix.dtype.kind == "f" else matrix.astype(np.float64)
    most = largest_number(signature.inputs)
    # As Python's floats: the limit is infinite as a float16. Comparisons with NaN are false.
    least, largest = (float(end.reduce(wide, axis=None)) for end in (np.minimum, np.maximum))
    if not (least >= -most and largest <= most and all(each.type == "number" for each in signature.inputs)):
        _check(signature, wide, missing_allowed, most)
    # A copy: the matrix may be read-only.
    return torch.from_numpy(np.array(wide, raw_dtype(signature.inputs), order="C"))


def _without_markers(values: Numbers, each: Input) -> Numbers:
    """The numbers, with NaN for those that mark a missing value."""
    markers = sorted(each.how.missing_numbers)
    found: Numbers = np.where(np.isin(values, markers), np.nan, values) if markers else values
    return found


def _check(signature: Signature, matrix: Numbers, missing_allowed: bool, most: float) -> None:
    """Checks value by value."""
    faults: list[Fault] = []
    usable = np.abs(matrix.astype(np.float64, copy=False)) <= most
    if not usable.all():
        for row, at in np.argwhere(~usable).tolist():
            if message := _fault(float(matrix[row, at]), missing_allowed, most):
                faults.append(Fault(f"{step(signature.inputs[at].name)}/{row}", message))
                if len(faults) == MOST_FAULTS:
                    break
    for at in (at for at, each in enumerate(signature.inputs) if each.type == "boolean"):
        wrong = ~(np.isin(matrix[:, at], (0, 1)) | np.isnan(matrix[:, at]))
        name = signature.inputs[at].name
        faults += [Fault(f"{step(name)}/{row}", "expected 0 or 1") for row in np.flatnonzero(wrong)[:MOST_FAULTS]]
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])


def _fault(value: float, missing_allowed: bool, most: float) -> str:
    if np.isnan(value):
        return "" if missing_allowed else missing_errors(np.array([value]), {})[0]
    return "is infinite; a finite number is expected" if np.isinf(value) else out_of_range(most)


def _is_number(dtype: "pl.DataType") -> bool:
    """Whether NumPy has this type of number."""
    import polars as pl

    return dtype.is_float() or (dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128))


def _is_of_no_type(dtype: "pl.DataType") -> bool:
    import polars as pl

    return dtype.is_nested() or dtype in (pl.Binary, pl.Object)


def _values(series: "pl.Series") -> list[Any]:
    """The values of an input whose values have a shape. The bytes of a file may be in an object, `{bytes, path}`."""
    import polars as pl

    if series.dtype.base_type() is pl.Struct and "bytes" in series.struct.fields:
        series = series.struct.field("bytes")
    return series.to_list()


def _column(each: Input, series: "pl.Series", as_text: bool, most: float) -> tuple[Numbers | Texts, RowErrors]:
    """Converts one column for `raw_features`, and returns it with its errors."""
    import polars as pl

    if series.dtype.base_type() in (pl.Date, pl.Datetime):
        seconds, far = _moments(series)
        if far or each.type == "datetime":  # such a time has no text
            return seconds, far
    if each.type == "number" and (_is_number(series.dtype) or series.dtype.is_decimal()):
        values = series.cast(pl.Float64).to_numpy()  # NaN where a value is missing
        values = _without_markers(values, each)
        rows = np.flatnonzero(np.abs(values) > most)[:MOST_FAULTS].tolist()
        return values, {row: _fault(float(values[row]), True, most) for row in rows}
    if series.dtype.is_float():
        series = series.fill_nan(None)
    elif series.dtype.is_temporal():  # as JSON would write it
        series = series.dt.to_string("iso:strict")
    elif series.dtype.base_type() in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    read = from_texts if as_text and series.dtype == pl.String else from_values
    if len(series) < MANY and not _is_long(series):
        return read(each, series.to_list(), most)
    distinct = series.drop_nulls().unique(maintain_order=True)
    codes = np.full(len(series), -1)
    if len(distinct):
        places = pl.Series(range(len(distinct)), dtype=pl.Int64)
        found = series.replace_strict(distinct, places, default=-1, return_dtype=pl.Int64)
        codes = found.fill_null(-1).to_numpy()
    return from_distinct(each, Texts(codes, distinct.to_list()), most, read)


def _is_long(series: "pl.Series") -> bool:
    """Whether the texts of all rows are long; polars may store a repeated text once."""
    import polars as pl

    return series.dtype == pl.String and int(series.str.len_bytes().sum() or 0) > LONG_TEXTS


def _moments(series: "pl.Series") -> tuple[Numbers, RowErrors]:
    """Seconds since 1970 of dates and times, NaN for a missing one; and errors for years that ISO 8601 cannot write. Computed
    from integers, because polars' calendar panics for distant years."""
    import polars as pl

    steps = series.to_physical().cast(pl.Int64)
    numbers = steps.fill_null(0).to_numpy()
    if series.dtype == pl.Date:
        seconds = numbers * 86_400.0
    else:
        unit: str = series.dtype.time_unit  # type: ignore[attr-defined]
        seconds = np.divide(numbers // 1000 if unit == "ns" else numbers, A_SECOND[unit])
    far = np.flatnonzero((seconds < YEAR_1) | (seconds >= YEAR_10000))[:MOST_FAULTS].tolist()
    found: Numbers = np.where(steps.is_null().to_numpy(), np.nan, seconds)
    return found, dict.fromkeys(far, "is in no year from 1 to 9999")
