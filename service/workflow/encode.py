"""From the columns of a table to the tensors that a model takes, the same for training and for predictions.

A raw tensor has slots of float32: one for a number, a boolean (0, 1) or a category (0 for one that the model does not
know, else its position from 1), several for a time; NaN where a value is missing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from service.workflow.data.schema import Scalar
from service.workflow.data.table import Numbers, Table, Texts
from service.workflow.errors import InvalidData
from service.workflow.signature import Input, Output
from service.workflow.specification import shown

MOST_CATEGORIES = 256  # of one feature; rarer ones count as unknown
DAY = 86_400.0
YEAR = 365.2425 * DAY
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05, the first Monday after the epoch
TIME_SLOTS = 7  # days since 2000, and the phase of the year, the week and the day, each as sine and cosine


def slots(inputs: Sequence[Input]) -> int:
    """How many slots a raw row has."""
    return sum(TIME_SLOTS if each.type == "datetime" else 1 for each in inputs)


def fit_categories(inputs: Sequence[Input], table: Table, train: torch.Tensor) -> list[Input]:
    """The inputs with the categories that the model will tell apart: those of the training rows, the most frequent ones
    when there are too many."""
    return [_fit(each, table.columns[each.name], train) for each in inputs]


def raw_features(inputs: Sequence[Input], columns: Mapping[str, Numbers | Texts]) -> torch.Tensor:
    """The features as float32 [n, slots]."""
    parts = [part for each in inputs for part in _slots(each, columns[each.name])]
    return torch.from_numpy(np.stack(parts, axis=1))


def unknown_categories(inputs: Sequence[Input], raw: torch.Tensor) -> int:
    """How many values of a raw tensor are categories that the model does not know."""
    start, count = 0, 0
    for each in inputs:
        if each.type == "category":
            count += int((raw[:, start] == 0).sum())
        start += slots([each])
    return count


def raw_targets(outputs: Sequence[Output], table: Table) -> torch.Tensor:
    """The targets as float64 [n, outputs]: numbers as they are, classes as their position among the sorted classes.

    Raises:
        InvalidData: a target is missing, not finite, or of no known class; the row is named.
    """
    return torch.from_numpy(np.stack([_target(each, table.columns[each.name]) for each in outputs], axis=1))


def _fit(each: Input, column: Numbers | Texts, train: torch.Tensor) -> Input:
    if not isinstance(column, Texts):
        return each
    codes = column.codes[train.numpy()]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
    seen = [(-int(count), text) for count, text in zip(counts, column.values, strict=True) if count]
    kept = sorted(text for _, text in sorted(seen)[:MOST_CATEGORIES])
    return each.model_copy(update={"categories": kept})


def _slots(each: Input, column: Numbers | Texts) -> list[Numbers]:
    if isinstance(column, Texts):
        return [_positions(each.categories or [], column)]
    if each.type == "datetime":
        return _time_slots(column)
    return [column.astype(np.float32, copy=False)]


def _positions(categories: Sequence[str], column: Texts) -> Numbers:
    known = {text: position for position, text in enumerate(categories, start=1)}
    # The last entry stands for the code -1: missing.
    positions = np.array([*(known.get(text, 0) for text in column.values), np.nan], dtype=np.float32)
    found: Numbers = positions[column.codes]
    return found


def _time_slots(seconds: Numbers) -> list[Numbers]:
    """Computed in float64: a float32 cannot hold today's seconds since 1970."""
    days = (seconds - 30 * YEAR) / DAY
    made = [days.astype(np.float32)]
    for period, start in ((YEAR, 0.0), (WEEK, MONDAY), (DAY, 0.0)):
        angle = 2 * np.pi * (((seconds - start) % period) / period)
        made += [np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)]
    return made


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
        raise InvalidData(f"the target {output.name!r} has no usable value in row {row}: {_what(output, column, row)}")
    return found


def _class_positions(output: Output, values: Sequence[Scalar | None]) -> Numbers:
    positions = {value: position for position, value in enumerate(output.classes or [])}
    return np.array([np.nan if value is None else positions.get(value, np.nan) for value in values], dtype=np.float64)


def _what(output: Output, column: Numbers | Texts, row: int) -> str:
    if isinstance(column, Texts):
        return (
            "it is missing" if column.codes[row] < 0 else f"{shown(column.values[column.codes[row]])} is no known class"
        )
    return "it is missing" if np.isnan(column[row]) else f"{column[row]} is not one it can learn"
