"""From the values that JSON holds to a column of a table."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, Texts, Wanted
from service.workflow.data.types.how import PLAIN, How
from service.workflow.data.types.kinds import KINDS
from service.workflow.errors import InvalidData

MISSING = math.nan
NUMBERS_OR_MISSING = frozenset((int, float, type(None)))
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT64_MAX = float(np.finfo(np.float64).max)


class InvalidValue(InvalidData):
    """A value is not of its column's type."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def column(values: Sequence[Any], wanted: Wanted, how: How = PLAIN) -> Numbers | Texts:
    """A column from values, None for a missing one. A text stands for what `how` says.

    Raises:
        InvalidValue: the first value that is not of the wanted type, with its row.
    """
    if wanted.type == "number" and (found := _numbers(values, how)) is not None:
        return found.astype(wanted.dtype)
    kind = KINDS[wanted.type]
    converted: list[Any] = []
    for row, value in enumerate(values):
        try:
            if value is None:
                converted.append(None)
            else:
                converted.append(kind.from_text(value, how) if isinstance(value, str) else kind.from_value(value, how))
        except ValueError as error:
            raise InvalidValue(row, str(error)) from None
    if wanted.type == "category":
        return texts(converted)
    return np.array([MISSING if value is None else value for value in converted], wanted.dtype)


def _numbers(values: Sequence[Any], how: How) -> Numbers | None:
    """Numbers of JSON as float64, without Python code for each; None where a value needs a closer look."""
    if not NUMBERS_OR_MISSING.issuperset(map(type, values)):
        return None
    try:
        found = np.array(values, np.float64)
    except OverflowError:
        return None
    if np.isfinite(found).sum() + values.count(None) < len(values):
        return None
    if how.missing_numbers:
        found[np.isin(found, list(how.missing_numbers))] = MISSING
    return found


def spread(numbers: Numbers) -> dict[str, float]:
    """Statistics of numbers that are there: minimum, maximum, mean and standard deviation, for numbers of any size."""
    low, high = float(numbers.min()), float(numbers.max())
    unit = max(abs(low), abs(high)) or 1.0
    scaled = numbers / unit
    mean = float(scaled.mean())
    std = float(np.sqrt(np.square(scaled - mean).mean()))
    return {"min": low, "max": high, "mean": mean * unit, "std": std * unit}


def texts(values: Sequence[str | None]) -> Texts:
    """A column of texts, None for a missing one."""
    distinct = dict.fromkeys(values)
    distinct.pop(None, None)
    known: dict[str | None, int] = {text: code for code, text in enumerate(distinct)}
    codes = list(map({**known, None: -1}.__getitem__, values))  # no Python code runs for each value
    return Texts(np.array(codes, np.int32), [text for text in distinct if text is not None])
