"""From the values that JSON holds to a column of a table: for rows in a spec and for rows to predict, in the same way."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, Texts, Wanted
from service.workflow.specification import shown

MISSING = float("nan")
FLOAT32_MAX = 3.4028235e38


class InvalidValue(Exception):
    """A value is not of its column's type."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def column(values: Sequence[Any], wanted: Wanted) -> Numbers | Texts:
    """A column from values, None for a missing one.

    Raises:
        InvalidValue: the first value that is not of the wanted type, with its row.
    """
    if wanted.type == "category":
        return _texts(values)
    convert = {"number": _number, "boolean": _boolean, "datetime": _time}[wanted.type]
    filled = np.empty(len(values), wanted.dtype)
    for row, value in enumerate(values):
        try:
            filled[row] = MISSING if value is None else convert(value)
        except ValueError as error:
            raise InvalidValue(row, str(error)) from None
    return filled


def as_text(value: object) -> str:
    """A value as a category, or as the name of a class: the way that JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def from_text(text: str, wanted: Wanted) -> Any:
    """The value that a text stands for, in a query or in a CSV file; nothing for a missing one.

    Raises:
        ValueError: it stands for none of the wanted type.
    """
    if not text.strip():
        return None
    if wanted.type == "number":
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"expected a number, not {shown(text)}") from None
    if wanted.type == "boolean":
        meanings = {"true": True, "false": False, "1": True, "0": False}
        if text.strip().lower() not in meanings:
            raise ValueError(f"expected true or false, not {shown(text)}")
        return meanings[text.strip().lower()]
    return text


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {shown(value)}")
    if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        raise ValueError("is beyond what a float32 can hold")
    return float(value)


def _boolean(value: Any) -> float:
    if value not in (0, 1) or isinstance(value, str):
        raise ValueError(f"expected true or false, not {shown(value)}")
    return float(value)


def _time(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f"expected a date or time in ISO 8601, not {shown(value)}")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"expected a date or time in ISO 8601, not {shown(value)}") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _texts(values: Sequence[Any]) -> Texts:
    known: dict[str, int] = {}
    codes = np.empty(len(values), np.int32)
    for row, value in enumerate(values):
        if value is None:
            codes[row] = -1
        elif isinstance(value, dict | list):
            raise InvalidValue(row, "expected a text")
        else:
            codes[row] = known.setdefault(as_text(value), len(known))
    return Texts(codes, list(known))
