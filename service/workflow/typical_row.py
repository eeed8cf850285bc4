"""A typical row of the training part: the baseline from which answers are explained."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import beside_columns, raw_features, shaped_inputs, table_inputs
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Input, Signature

TypicalRow = Mapping[str, float | str]  # by the name of the input, as a table keeps its values


def typical_row(signature: Signature, table: Table, rows: Numbers) -> dict[str, float | str]:
    """The mean of each number and time, and the most frequent one of other values, without the missing ones; of several that
    are as frequent the first in sorted order. Inputs without a value, and those whose values have a shape, have none.

    Args:
        rows: the positions of the training part's rows, int64 [m].
    """
    found = (
        (each.name, _typical(each, plain(table.columns[each.name]), rows)) for each in table_inputs(signature.inputs)
    )
    return {name: value for name, value in found if value is not None}


def _typical(of: Input, column: Numbers | Texts, rows: Numbers) -> float | str | None:
    if isinstance(column, Texts):
        codes = column.codes[rows]
        counts = dict(zip(*(each.tolist() for each in np.unique(codes[codes >= 0], return_counts=True)), strict=True))
        known = of.categories or ()
        named = sorted((-count, text) for code, count in counts.items() if (text := column.values[code]) in known)
        return named[0][1] if named else None
    present = column[rows][~np.isnan(column[rows])].astype(np.float64)
    if not len(present):
        return None
    if COLUMN_TYPES[of.type].chart_type == "N":
        values, counted = np.unique(present, return_counts=True)
        return float(values[counted.argmax()])
    most = float(np.abs(present).max()) or 1.0
    return float((present / most).mean()) * most  # a sum of large numbers may overflow


def raw_row(inputs: Sequence[Input], row: TypicalRow, *, fills_missing: bool) -> Tensors:
    """The raw features [1, w] of such a row. What it lacks is missing, or 0 where the model takes no missing values; values that
    have a shape are zeros."""
    absent = np.nan if fills_missing else 0.0
    columns = {each.name: _column(each, row.get(each.name), absent) for each in table_inputs(inputs)}
    blank = {each.name: kind.blank(each, 1) for each, kind in shaped_inputs(inputs)}
    return beside_columns(inputs, columns, blank) if blank else raw_features(inputs, columns)


def _column(of: Input, value: float | str | None, absent: float) -> Numbers | Texts:
    if COLUMN_TYPES[of.type].texts:
        return Texts(np.array([-1 if value is None else 0], np.int32), [] if value is None else [str(value)])
    return np.array([absent if value is None else value], np.float64)


def shown_row(inputs: Sequence[Input], row: TypicalRow) -> dict[str, Scalar | None]:
    """The values as JSON, with null for those that the row lacks."""
    return {each.name: COLUMN_TYPES[each.type].plotted(row[each.name]) if each.name in row else None for each in inputs}
