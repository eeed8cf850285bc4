"""Converts values from JSON into columns of a table."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, RequestedColumn, Texts
from service.workflow.data.types.how import PLAIN, How
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidData

MISSING = math.nan


class InvalidValue(InvalidData):
    """A value is not of its column's type."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def column(values: Sequence[Any], wanted: RequestedColumn, how: How = PLAIN) -> Numbers | Texts:
    """A column from values, with None for a missing one. `how` says how texts are read.

    Raises:
        InvalidValue: the first value that is not of the wanted type, with its row.
    """
    kind = COLUMN_TYPES[wanted.type]
    dtype = kind.dtype(exact=wanted.exact)
    if (found := kind.from_values(values, how)) is not None:
        return found.astype(dtype)
    converted: list[Any] = []
    for row, value in enumerate(values):
        try:
            read = kind.from_text if isinstance(value, str) else kind.from_value
            converted.append(None if value is None else read(value, how))
        except ValueError as error:
            raise InvalidValue(row, str(error)) from None
    if kind.texts:
        return texts(converted)
    return np.array([MISSING if value is None else value for value in converted], dtype)


def texts(values: Sequence[str | None]) -> Texts:
    """A column of texts, with None for a missing one."""
    distinct = dict.fromkeys(values)
    distinct.pop(None, None)
    known: dict[str | None, int] = {text: code for code, text in enumerate(distinct)}
    codes = list(map({**known, None: -1}.__getitem__, values))  # without Python code for each value
    return Texts(np.array(codes, np.int32), [text for text in distinct if text is not None])
