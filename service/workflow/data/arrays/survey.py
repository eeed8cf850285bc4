"""Surveys arrays: one column for each number of a row, or one column of tensors, and the target."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.workflow.data.archives.checks import Broken, left_out, no_other
from service.workflow.data.arrays.array_file import TARGET, open_arrays
from service.workflow.data.arrays.columns import (
    as_numbers,
    as_tensors,
    is_tensor,
    listed,
    names_of,
    row_blocks,
    tensor_dtype,
)
from service.workflow.data.histogram import Histogram
from service.workflow.data.infer import Inferred
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.data.records_schema import described, surveyed
from service.workflow.data.schema import MOST_COLUMNS, Column, Schema
from service.workflow.data.survey_limits import short_head, with_few_values
from service.workflow.data.table import Numbers
from service.workflow.data.table_survey import HEAD_ROWS, TEXT_OPTIONS, Survey, check_names
from service.workflow.data.types.boolean import Boolean
from service.workflow.data.types.category import Category
from service.workflow.data.types.how import PLAIN
from service.workflow.data.types.number import Number, NumberSurvey
from service.workflow.data.types.tensor import MOST_NUMBERS, TensorType
from service.workflow.data.values import InvalidValue
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

MOST_SHOWN = 64  # numbers of a tensor in the first rows
COLUMNS_AT_ONCE_BYTES = 64 * 2**20


def survey_arrays(path: Path, media_type: str, options: ReadingOptions, scratch: Path, most_bytes: int) -> Survey:
    """Surveys a file of one array, or of `x` and `y`. Temporary files are below `scratch`.

    Args:
        media_type: `NPZ` or `NPY`.
        most_bytes: that may come out of the file.

    Raises:
        InvalidData: it cannot be read, or is not of a possible shape and type.
    """
    given = [name for name in TEXT_OPTIONS if getattr(options, name) is not None]
    if given:
        raise InvalidData(f"`{given[0]}` is said, and arrays have none")
    arrays, notes = open_arrays(path, media_type, scratch, most_bytes)
    x, y = arrays["x"], arrays.get(TARGET)
    names = names_of(x)
    if len(names) > MOST_COLUMNS:
        raise InvalidData(f"the array 'x' has {len(names)} columns; at most {MOST_COLUMNS} are possible")
    check_names(options, [*names, *([] if y is None else [TARGET])])
    out: list[int] = []
    if is_tensor(x):
        if math.prod(x.shape[1:]) > MOST_NUMBERS:
            raise InvalidData(
                f"a row of 'x' has the shape {[*x.shape[1:]]}; at most {MOST_NUMBERS} numbers are possible"
            )
        broken = _not_finite(x)
        out, more = left_out(broken, len(x), skip=options.skip_broken)
        notes += more
    kept = np.delete(np.arange(len(x)), out)
    first = x[kept[:HEAD_ROWS]]
    columns, rows = _features(x, kept, options, names, notes), _first_rows(first, names)
    if y is not None:
        values = listed(y[kept] if out else y)
        columns.append(_target(y, values, options))
        rows = [{**row, TARGET: value} for row, value in zip(rows, values, strict=False)]
    schema = Schema(
        rows=len(kept),
        columns=with_few_values(columns),
        reading=Reading(),
        target=None if y is None else TARGET,
        left_out=out,
    )
    return Survey(media_type, schema, notes, short_head(rows))


def _not_finite(x: Numbers) -> list[Broken]:
    """The rows with a number that is none, or that float32 does not hold."""
    if x.dtype.kind != "f":
        return []
    found: list[Broken] = []
    for before, block in row_blocks(x):
        finite = np.isfinite(as_tensors(block, tensor_dtype(x))).reshape(len(block), -1).all(1)
        rows = (before + np.flatnonzero(~finite)).tolist()
        found += [
            Broken(row, f"x[{row}]", "a number is missing, infinite, or beyond what a float32 holds") for row in rows
        ]
    return found


def _features(
    x: Numbers, kept: Numbers, options: ReadingOptions, names: Sequence[str], notes: list[str]
) -> list[Column]:
    if is_tensor(x):
        if (wanted := options.types.get(names[0], TensorType.name)) != TensorType.name:
            raise InvalidData(f"`types` says {wanted} of the column 'x', which holds arrays: leave it out")
        return [_tensor_column(x, kept)]
    columns: list[Column] = []
    at_once = max(1, COLUMNS_AT_ONCE_BYTES // (len(x) * x.itemsize))
    infinite = 0
    for start in range(0, len(names), at_once):
        some = np.array(x[:, start : start + at_once]).T
        infinite += int(np.isinf(some).sum()) if some.dtype.kind == "f" else 0
        columns += [_column(name, each, options) for name, each in zip(names[start:], some, strict=False)]
    if infinite:
        notes.append(f"{infinite} infinite numbers of x are taken for missing")
    return columns


def _column(name: str, values: Numbers, options: ReadingOptions) -> Column:
    """A column of the features, each of which is a number unless the options say otherwise."""
    inferred = Inferred(options.types.get(name, Number.name), f"the array has {values.dtype}")
    if inferred.type != Number.name:
        return _surveyed(name, listed(values), inferred)
    numbers = as_numbers(values, np.dtype(np.float64))
    found, histogram = described(name, numbers, inferred, PLAIN), Histogram()
    missing = np.isnan(numbers)
    if found.values is None:
        histogram.add(numbers[~missing])
    first = int(missing.argmax()) if missing.any() else None
    return found.model_copy(
        update={
            "bins": None if found.values is not None else histogram.bins(),
            "first_missing": first,
            "examples": [str(each) for each in values[:3].tolist()],
            "statistics": _distinct(found) | found.statistics,
        }
    )


def _tensor_column(x: Numbers, kept: Numbers) -> Column:
    """The column of tensors, with the statistics of all of their numbers."""
    statistics, dtype, out = NumberSurvey(PLAIN), tensor_dtype(x), set(range(len(x))) - set(kept.tolist())
    for before, block in row_blocks(x):
        rows = [row for row in range(len(block)) if before + row not in out] if out else slice(None)
        statistics.add_numbers(as_tensors(block[rows], dtype).ravel().astype(np.float64))
    shape = [*x.shape[1:]]
    about: dict[str, Any] = {"shape": shape, "dtype": str(dtype), **statistics.statistics()}
    reason = f"the array has {x.dtype} of the shape {[*x.shape]}"
    return Column(
        name="x",
        type=TensorType.name,
        statistics=about,
        plain=False,
        reason=reason,
        misfits=no_other(TensorType.name),
    )


def _target(y: Numbers, values: list[Any], options: ReadingOptions) -> Column:
    usual = {"b": Boolean.name, "U": Category.name, "S": Category.name}.get(y.dtype.kind, Number.name)
    inferred = Inferred(options.types.get(TARGET, usual), f"the array has {y.dtype}")
    return _surveyed(TARGET, values, inferred)


def _surveyed(name: str, values: list[Any], inferred: Inferred) -> Column:
    try:
        found = surveyed(name, values, inferred, Reading())
    except InvalidValue as error:
        where = f"row {error.row + 1}"
        raise InvalidData(f"the column {shown(name)} cannot be of type {inferred.type}: {where}: {error}") from None
    first = next((row for row, value in enumerate(values) if value is None), None)
    examples = [str(each)[:60] for each in values[:3] if each is not None]
    about = {"first_missing": first, "examples": examples, "statistics": _distinct(found) | found.statistics}
    return found.model_copy(update=about)


def _distinct(column: Column) -> dict[str, int]:
    return {} if column.values is None else {"distinct": len(column.values)}


def _first_rows(first: Numbers, names: Sequence[str]) -> list[dict[str, Any]]:
    """The first rows as clients see them."""
    if not is_tensor(first):
        numbers = [
            [None if each != each or each in (math.inf, -math.inf) else each for each in row] for row in first.tolist()
        ]
        return [dict(zip(names, row, strict=True)) for row in numbers]
    dtype, shape = tensor_dtype(first), [*first.shape[1:]]
    if math.prod(shape) <= MOST_SHOWN:
        return [{names[0]: row} for row in as_tensors(first, dtype).tolist()]
    return [{names[0]: {"shape": shape, "dtype": str(dtype)}} for _ in range(len(first))]
