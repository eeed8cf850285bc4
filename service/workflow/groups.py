"""Groups of rows by the values of one column: by value, or by quarters of its numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.names import Scalar

MOST_VALUES = 20  # of a column that have a group of their own
MOST_NUMBERS = 4  # different numbers that have one each: no more than the quarters would be
QUARTERS = (0.25, 0.5, 0.75)
LONGEST_VALUE = 100  # characters of a group's name


@dataclass(frozen=True)
class RowGroup:
    """Rows, as int64 positions, and what they have in common: `value`, `low` and `high`, `missing` or `other`."""

    about: dict[str, Any]
    rows: Numbers


def groups_of(column: Numbers | Texts, rows: Numbers, named: Callable[[float], Scalar]) -> list[RowGroup]:
    """The groups of these rows, which have each row once. A text or one of at most `MOST_NUMBERS` numbers is a group, the most
    frequent texts first; other numbers are divided at their quartiles, of which each number is in the lower quarter that it ends.

    Args:
        column: of a table.
        rows: int64 [m], the rows that are grouped.
        named: a number of the column as readers see it.
    """
    if isinstance(column, Texts):
        return _by_text(column.codes[rows], column.values, rows)
    numbers = column[rows]
    present = ~np.isnan(numbers)
    made = _by_number(numbers[present], rows[present], named) if present.any() else []
    return [*made, *_rest("missing", rows[~present])]


def _by_text(codes: Numbers, values: Any, rows: Numbers) -> list[RowGroup]:
    found, counts = np.unique(codes[codes >= 0], return_counts=True)
    ranked = sorted(zip(found.tolist(), counts.tolist(), strict=True), key=lambda each: (-each[1], values[each[0]]))
    kept = [code for code, _ in ranked[:MOST_VALUES]]
    made = [RowGroup({"value": _short(values[code])}, rows[codes == code]) for code in kept]
    others = (codes >= 0) & ~np.isin(codes, kept)
    return [*made, *_rest("other", rows[others]), *_rest("missing", rows[codes < 0])]


def _by_number(numbers: Numbers, rows: Numbers, named: Callable[[float], Scalar]) -> list[RowGroup]:
    distinct = np.unique(numbers)
    if len(distinct) <= MOST_NUMBERS:
        return [RowGroup({"value": named(_shortest(each))}, rows[numbers == each]) for each in distinct]
    # Quartiles that are numbers of the column: between two large ones an interpolation could overflow.
    edges = np.unique(np.quantile(numbers, QUARTERS, method="inverted_cdf"))
    quarter = np.searchsorted(edges, numbers, side="left")
    made = []
    for each in np.unique(quarter):
        inside = numbers[quarter == each]
        ends = {"low": named(_shortest(inside.min())), "high": named(_shortest(inside.max()))}
        made.append(RowGroup(ends, rows[quarter == each]))
    return made


def _rest(name: str, rows: Numbers) -> list[RowGroup]:
    return [RowGroup({name: True}, rows)] if len(rows) else []


def _shortest(number: np.floating[Any]) -> float:
    """A float32 or float64 with as few digits as distinguish it."""
    return float(str(number))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
