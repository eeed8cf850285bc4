"""Partial dependence: the mean answer of a model when all rows have the same value of one input.

After Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", 2001.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import raw_width, table_inputs
from service.workflow.input_tensors import Tensors, rows_in, take
from service.workflow.look.dependence import (
    LONGEST_VALUE,
    MOST_ANSWERS,
    MOST_DEPENDENCES,
    MOST_GRID,
    MOST_NAMES,
    InputDependence,
    PartialDependence,
)
from service.workflow.look.importance import Importance
from service.workflow.model import Model
from service.workflow.models.input_shapes import FEATURES
from service.workflow.permutation_importance import work_of_a_row
from service.workflow.signature import Input, Signature
from service.workflow.split import Split
from service.workflow.tasks import Task

MOST_ROWS, FEWEST_ROWS = 200, 20
MOST_WORK = 10**11  # multiply-adds of all forwards: some seconds of one core
TAIL = 0.01  # of the values of an input at each end, which are beyond the grid


@dataclass(frozen=True)
class _Grid:
    """The values of an input as a table keeps them, and the columns of the raw features that have them."""

    input: Input
    values: Numbers | Texts
    columns: slice


def partial_dependence(
    signature: Signature,
    model: Model,
    table: Table,
    features: Tensors,
    targets: Tensor,
    parts: Split,
    importance: Importance | None,
    at_once: int,
) -> PartialDependence | None:
    """The mean answers for the most important inputs that are columns of a table, on rows of the part on which importance was
    measured: at quantiles of the numbers and times of the training part, the middle 98 % of them, and at the most frequent other
    values.

    Args:
        table: has the columns.
        features: the raw features of all rows.
        targets: of all rows, [n, t]; for classes their positions.
        importance: None if it cannot be measured; then this is not either.
        at_once: the rows of a forward.

    Returns:
        None if no input has two values, or 20 rows are too much work.
    """
    if importance is None:
        return None
    grids = _grids(signature, table, parts, importance)
    points = sum(len(each.values) for each in grids)
    if not points:
        return None
    rows = parts.part(importance.part)
    most = min(MOST_ROWS, MOST_WORK // work_of_a_row(signature, model) // points)
    if most < FEWEST_ROWS:
        return None
    if len(rows) > most:
        rows = rows[torch.linspace(0, len(rows) - 1, most).round().long()]
    answers = _answers(signature, targets)
    given = take(features, rows)
    return PartialDependence(
        part=importance.part,
        rows=len(rows),
        answers=answers,
        inputs=[
            InputDependence(
                input=each.input.name, values=_shown(each), means=_means(model, given, each, answers, at_once)
            )
            for each in grids
        ],
    )


def _grids(signature: Signature, table: Table, parts: Split, importance: Importance) -> list[_Grid]:
    starts, start = {}, 0
    for each in table_inputs(signature.inputs):
        starts[each.name] = each, slice(start, start := start + raw_width([each]))
    found = []
    for name in (each.input for each in importance.inputs if each.input in starts):
        of, columns = starts[name]
        values = _grid(of, plain(table.columns[name]), parts.train.numpy())
        if len(values) > 1:
            found.append(_Grid(of, values, columns))
        if len(found) == MOST_DEPENDENCES:
            break
    return found


def _grid(of: Input, column: Numbers | Texts, train: Numbers) -> Numbers | Texts:
    if isinstance(column, Texts):
        codes, counts = np.unique(column.codes[train], return_counts=True)
        ordered = codes[np.argsort(-counts, kind="stable")]
        known = set(of.categories or ())
        chosen = [code for code in ordered.tolist() if code >= 0 and column.values[code] in known][:MOST_NAMES]
        return Texts(np.array(sorted(chosen, key=lambda code: column.values[code]), np.int32), column.values)
    present = column[train][~np.isnan(column[train])]
    distinct = np.unique(present)
    if len(distinct) <= MOST_GRID:
        return distinct
    at = np.quantile(present, np.linspace(TAIL, 1 - TAIL, MOST_GRID), method="inverted_cdf")
    return np.unique(at)


def _answers(signature: Signature, targets: Tensor) -> list[int]:
    """The first targets or labels; the second of two classes; the most frequent of more."""
    if signature.task is Task.BINARY:
        return [1]
    if signature.classifies:
        counts = torch.bincount(targets[:, 0].long(), minlength=len(signature.classes))
        return sorted(counts.argsort(descending=True, stable=True)[:MOST_ANSWERS].tolist())
    return list(range(len(signature.outputs)))[:MOST_ANSWERS]


@torch.inference_mode()
def _means(model: Model, given: Tensors, grid: _Grid, answers: Sequence[int], at_once: int) -> list[list[float | None]]:
    """The mean of each answer at each value."""
    of = grid.input
    made = np.stack(COLUMN_TYPES[of.type].encode(grid.values, of.categories), axis=1)
    means = []
    for value in torch.from_numpy(made):
        rows = torch.arange(rows_in(given)).split(at_once)
        parts = [model(_with(take(given, some), grid.columns, value)) for some in rows]
        means.append(torch.cat(parts).double().mean(dim=0))
    columns = torch.stack(means, dim=1)[list(answers)].tolist()
    return [[mean if math.isfinite(mean) else None for mean in each] for each in columns]


def _with(given: Tensors, columns: slice, value: Tensor) -> Tensors:
    """The rows, which are a copy, with this value in these raw columns."""
    features = given if isinstance(given, Tensor) else given[FEATURES]
    features[:, columns] = value.to(features.dtype)
    return given


def _shown(grid: _Grid) -> list[Scalar]:
    """The values as charts show them."""
    values = grid.values
    if isinstance(values, Texts):
        return [values.values[code][:LONGEST_VALUE] for code in values.codes.tolist()]
    return [COLUMN_TYPES[grid.input.type].plotted(each) for each in values.tolist()]
