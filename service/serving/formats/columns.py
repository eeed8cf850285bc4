"""From columns to the tensor that a model takes: the part that all formats but JSON share."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from service.serving.instances import MOST_FAULTS, MOST_ROWS, check_names
from service.workflow.data.read import seconds_of, text_codes
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.values import FLOAT32_MAX, convert, fit_float32, from_text, texts
from service.workflow.encode import raw_features
from service.workflow.errors import Fault, InvalidInstances, step
from service.workflow.signature import Input, Signature

if TYPE_CHECKING:
    import polars as pl

ABSENT = "is missing, and this model was trained without missing values"


def invalid(message: str, at: str = "") -> InvalidInstances:
    """An error with one fault."""
    return InvalidInstances(Fault(at, message))


def check_rows(count: int) -> None:
    """There are rows, and not too many.

    Raises:
        InvalidInstances: there are not.
    """
    if not 0 < count <= MOST_ROWS:
        raise invalid(f"has {count} rows; 1 to {MOST_ROWS} are taken in one request")


def from_frame(
    signature: Signature, frame: "pl.DataFrame", missing_allowed: bool, as_text: bool = False
) -> torch.Tensor:
    """Raw features [n, slots] from a table with the inputs' names; its texts stand for values of any type, as in CSV, or
    are texts. The targets' columns are ignored.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    schema = frame.schema  # made anew each time it is asked for
    check_names(signature, schema)
    check_rows(frame.height)
    names = [each.name for each in signature.inputs]
    types = {schema[name] for name in names}
    if all(each.type == "number" for each in signature.inputs) and all(map(_is_number, types)):
        ordered = frame if frame.columns == names else frame.select(names)
        return from_matrix(signature, ordered.to_numpy(order="c"), missing_allowed)
    faults: list[Fault] = []
    columns: dict[str, Numbers | Texts] = {}
    for each in signature.inputs:
        columns[each.name] = _column(each, frame[each.name], missing_allowed, as_text, faults)
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])
    return raw_features(signature.inputs, columns)


def from_matrix(signature: Signature, matrix: Numbers, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots] from numbers [n, inputs], NaN for missing, where every input is a number or a boolean.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    # By way of float64 as everywhere: a large integer may round to another float32 straight away.
    wide = matrix if matrix.dtype.kind == "f" else matrix.astype(np.float64)
    if not (fit_float32(wide) and all(each.type == "number" for each in signature.inputs)):
        _check(signature, wide, missing_allowed)
    return torch.from_numpy(np.array(wide, np.float32, order="C"))  # its own copy: what came may be read-only


def _check(signature: Signature, matrix: Numbers, missing_allowed: bool) -> None:
    """Value by value."""
    faults: list[Fault] = []
    usable = np.isfinite(matrix) if matrix.dtype == np.float32 else np.abs(matrix) <= FLOAT32_MAX
    if not usable.all():
        for row, at in np.argwhere(~usable).tolist():
            if message := _fault(float(matrix[row, at]), missing_allowed):
                faults.append(Fault(f"{step(signature.inputs[at].name)}/{row}", message))
                if len(faults) == MOST_FAULTS:
                    break
    for at in (at for at, each in enumerate(signature.inputs) if each.type == "boolean"):
        wrong = ~(np.isin(matrix[:, at], (0, 1)) | np.isnan(matrix[:, at]))
        name = signature.inputs[at].name
        faults += [Fault(f"{step(name)}/{row}", "expected 0 or 1") for row in np.flatnonzero(wrong)[:MOST_FAULTS]]
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])


def _fault(value: float, missing_allowed: bool) -> str:
    if np.isnan(value):
        return "" if missing_allowed else ABSENT
    return "is infinite; a finite number is expected" if np.isinf(value) else "is beyond what a float32 can hold"


def _is_number(dtype: "pl.DataType") -> bool:
    """Whether NumPy has this type of number."""
    import polars as pl

    return dtype.is_float() or (dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128))


def _column(
    each: Input, series: "pl.Series", missing_allowed: bool, as_text: bool, faults: list[Fault]
) -> Numbers | Texts:
    """One column as `raw_features` takes it; what is wrong with it joins the faults."""
    import polars as pl

    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        faults.append(Fault(step(each.name), f"holds {series.dtype}; a column of {each.type}s is expected"))
        return np.zeros(len(series))
    if series.dtype.is_float():
        series = series.fill_nan(None)
    if series.dtype.is_temporal() and each.type == "datetime" and series.dtype.base_type() in (pl.Date, pl.Datetime):
        seconds = seconds_of(series.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64))
        codes: Numbers = np.where(series.is_null().to_numpy(), -1, 0)
        column: Numbers | Texts = seconds.fill_null(np.nan).to_numpy()
    elif (each.type == "number" and _is_number(series.dtype)) or (each.type == "number" and series.dtype.is_decimal()):
        values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
        wrong = np.flatnonzero(np.abs(values) > FLOAT32_MAX)[:MOST_FAULTS]
        faults += [Fault(f"{step(each.name)}/{row}", _fault(float(values[row]), True)) for row in wrong]
        values = np.where(np.abs(values) > FLOAT32_MAX, 0, values)
        codes, column = np.where(np.isnan(values), -1, 0), values
    else:
        codes, column = _distinct(each, series, as_text, faults)
    if not missing_allowed:
        rows = np.flatnonzero(codes < 0)[:MOST_FAULTS]
        faults += [Fault(f"{step(each.name)}/{row}", ABSENT) for row in rows]
    return column


def _distinct(each: Input, series: "pl.Series", as_text: bool, faults: list[Fault]) -> tuple[Numbers, Numbers | Texts]:
    """A column whose distinct values are converted once each, as if they stood in JSON."""
    import polars as pl

    if series.dtype.is_temporal():  # as JSON would write it
        series = series.dt.to_string("iso:strict")
    elif series.dtype.base_type() in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    known: dict[Any, int] = {}
    codes = np.array(text_codes(series, known))
    converted: list[Any] = []
    for code, value in enumerate(known):
        try:
            meant = from_text(value, each.type) if as_text else value
            converted.append(None if meant is None else convert(meant, each.type))
        except ValueError as error:
            converted.append(None)
            if len(faults) < MOST_FAULTS:
                rows = np.flatnonzero(codes == code)[:MOST_FAULTS]
                faults += [Fault(f"{step(each.name)}/{row}", str(error)) for row in rows]
            codes[codes == code] = len(known)  # a fault of its own, and not a missing value
    if each.type == "category":
        distinct = texts([*converted, "", None])
        places = distinct.codes
        missing = np.array([-1 if value is None else 0 for value in [*converted, "", None]])
        return missing[codes], Texts(places[codes], distinct.values)
    numbers = np.array([*(np.nan if value is None else value for value in converted), 0.0, np.nan])
    found: Numbers = numbers[codes]
    return np.where(np.isnan(found), -1, 0), found
