"""Turns the columns of a table into the raw features [n, w] that a model takes, for training and for predictions.

The columns of the raw features are float32, or float64 if an input needs it, with NaN for missing values. The type of each
input determines how many of them encode it, and how. An input whose values have a shape is a tensor of its own beside them
(`input_tensors.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from service.workflow.data.table import Numbers, Table, Texts, Values, plain, rows_of
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.category import as_text
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.errors import InvalidData
from service.workflow.input_tensors import Tensors
from service.workflow.models.input_shapes import FEATURES
from service.workflow.signature import Input, Output
from service.workflow.spec_base import nearest, shown


def raw_width(inputs: Sequence[Input]) -> int:
    """The number of columns w of the raw features."""
    return sum(COLUMN_TYPES[each.type].raw_columns for each in inputs)


def raw_dtype(inputs: Sequence[Input]) -> "np.dtype[Any]":
    """The type of the raw features: float64 if one of the inputs needs it, else float32."""
    return np.dtype(np.float64 if any(each.dtype == "float64" for each in inputs) else np.float32)


def shaped_inputs(inputs: Sequence[Input]) -> list[tuple[Input, ShapedType]]:
    """The inputs whose values have a shape, with their types."""
    typed = ((each, COLUMN_TYPES[each.type]) for each in inputs)
    return [(each, kind) for each, kind in typed if isinstance(kind, ShapedType)]


def table_inputs(inputs: Sequence[Input]) -> list[Input]:
    """The other inputs, which are columns of the raw features."""
    return [each for each in inputs if not COLUMN_TYPES[each.type].shaped]


def answers_dtype(outputs: Sequence[Output]) -> "np.dtype[Any]":
    """The type of a model's answers: float64 if one of the outputs needs it, else float32."""
    return np.dtype(np.float64 if any(each.dtype is not None for each in outputs) else np.float32)


def fit_inputs(inputs: Sequence[Input], table: Table, train: torch.Tensor) -> list[Input]:
    """The inputs with what is learned from the rows at the positions `train`, such as categories."""
    positions = train.numpy()
    return [_fitted(each, table.columns[each.name], positions) for each in inputs]


def _fitted(of: Input, column: Values, positions: Numbers) -> Input:
    kind = COLUMN_TYPES[of.type]
    if not kind.fits_fields:
        return of
    return of.model_copy(update=kind.fitted_fields(rows_of(column, positions), of))


def raw_features(inputs: Sequence[Input], columns: Mapping[str, Values]) -> torch.Tensor:
    """The raw features [n, w] of columns of a table by name, of type `raw_dtype`."""
    parts = [
        part for each in inputs for part in COLUMN_TYPES[each.type].encode(plain(columns[each.name]), each.categories)
    ]
    made = np.empty((len(parts[0]), len(parts)), raw_dtype(inputs))
    for at, part in enumerate(parts):
        made[:, at] = part
    return torch.from_numpy(made)


def raw_inputs(inputs: Sequence[Input], columns: Mapping[str, Values], cache: TensorCache | None = None) -> Tensors:
    """The raw features of all inputs: those of the columns of a table; and if values of an input have a shape, a dict with them
    and with a tensor [n, *shape] for each such input, which the cache allocates."""
    shaped = shaped_inputs(inputs)
    if not shaped:
        return raw_features(inputs, columns)
    cache = cache or TensorCache()
    tensors = {each.name: kind.to_tensor(each, columns[each.name], cache) for each, kind in shaped}
    return beside_columns(inputs, columns, tensors)


def beside_columns(inputs: Sequence[Input], columns: Mapping[str, Values], tensors: dict[str, torch.Tensor]) -> Tensors:
    """The raw features of the columns of a table, if there are any, and the raw tensors of the other inputs, by name."""
    of_table = table_inputs(inputs)
    return {FEATURES: raw_features(of_table, columns), **tensors} if of_table else tensors


def blank_row(inputs: Sequence[Input]) -> Tensors:
    """The raw features of one row, all zeros."""
    features = torch.from_numpy(np.zeros((1, raw_width(inputs)), raw_dtype(inputs)))
    shaped = {each.name: kind.blank(each, 1) for each, kind in shaped_inputs(inputs)}
    if not shaped:
        return features
    return {FEATURES: features, **shaped} if table_inputs(inputs) else shaped


def unknown_categories(inputs: Sequence[Input], raw: Tensors) -> int:
    """The number of values in raw features that are categories unknown to the model."""
    features = raw if isinstance(raw, torch.Tensor) else raw.get(FEATURES)
    if features is None:
        return 0
    start, count, values = 0, 0, features.numpy()
    for each in table_inputs(inputs):
        if COLUMN_TYPES[each.type].categorical:
            count += int(np.count_nonzero(values[:, start] == 0))
        start += raw_width([each])
    return count


def with_targets(outputs: Sequence[Output], table: Table) -> Table:
    """The rows in which no target is missing."""
    there = np.ones(len(table), bool)
    for each in outputs:
        column = plain(table.columns[each.name])
        there &= column.codes >= 0 if isinstance(column, Texts) else ~np.isnan(column)
    return table if there.all() else table.rows(np.flatnonzero(there))


def raw_targets(outputs: Sequence[Output], table: Table) -> torch.Tensor:
    """The targets as float64 [n, outputs]: numbers, or positions among the sorted classes.

    Raises:
        InvalidData: a target is missing, not finite, or not a known class; the row is named.
    """
    return torch.from_numpy(np.stack([_target(each, plain(table.columns[each.name])) for each in outputs], axis=1))


def _target(output: Output, column: Numbers | Texts) -> Numbers:
    if isinstance(column, Texts):
        values: list[Scalar | None] = [*column.values, None]
        found = _class_positions(output, values)[column.codes]
    elif output.classes is not None:
        distinct, where = np.unique(column, return_inverse=True)
        found = _class_positions(output, distinct.tolist())[where]
    else:
        found = column.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        at = f"the target {shown(output.name)}, row {row + 1} of those with a target"
        raise InvalidData(f"{at}: {_why_invalid(output, column, row)}")
    return found


def _class_positions(output: Output, values: Sequence[Scalar | None]) -> Numbers:
    """The position of each value among the classes, also of texts that JSON writes for a class: large whole numbers are read as
    texts, because floats would merge them."""
    positions: dict[Scalar, int] = {value: position for position, value in enumerate(output.classes or [])}
    positions |= {as_text(value): position for value, position in positions.items()}
    return np.array([np.nan if value is None else positions.get(value, np.nan) for value in values], dtype=np.float64)


def _why_invalid(output: Output, column: Numbers | Texts, row: int) -> str:
    missing = column.codes[row] < 0 if isinstance(column, Texts) else np.isnan(column[row])
    if missing:
        return "its value is missing; expected one in every row that is learned from"
    value = column.values[column.codes[row]] if isinstance(column, Texts) else as_text(column[row].item())
    if output.classes is None:
        return f"{value} is no finite number, which is expected"
    return f"{shown(value)} is no known class; {nearest(value, map(as_text, output.classes))}"
