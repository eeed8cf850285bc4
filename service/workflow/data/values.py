"""From the values that JSON holds to a column of a table: for rows in a spec and for rows to predict, in the same way."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from service.workflow.data.schema import ColumnType
from service.workflow.data.table import Numbers, Texts, Wanted
from service.workflow.errors import InvalidData
from service.workflow.specification import shown

MISSING = math.nan
FLOAT32_MAX = float(np.finfo(np.float32).max)


class InvalidValue(InvalidData):
    """A value is not of its column's type."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def column(values: Sequence[Any], wanted: Wanted) -> Numbers | Texts:
    """A column from values, None for a missing one.

    Raises:
        InvalidValue: the first value that is not of the wanted type, with its row.
    """
    converted: list[Any] = []
    for row, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value, wanted.type))
        except ValueError as error:
            raise InvalidValue(row, str(error)) from None
    if wanted.type == "category":
        return texts(converted)
    return np.array([MISSING if value is None else value for value in converted], wanted.dtype)


def fit_float32(numbers: Numbers) -> bool:
    """Whether each of them is finite and fits into a float32."""
    # As Python's floats: a float16 would take the limit for infinity.
    least, greatest = (float(end.reduce(numbers, axis=None)) for end in (np.minimum, np.maximum))
    return least >= -FLOAT32_MAX and greatest <= FLOAT32_MAX  # NaN is on neither side


def texts(values: Sequence[str | None]) -> Texts:
    """A column of texts, None for a missing one."""
    known: dict[str, int] = {}
    codes = [-1 if value is None else known.setdefault(value, len(known)) for value in values]
    return Texts(np.array(codes, np.int32), list(known))


def convert(value: Any, kind: ColumnType) -> float | str:
    """A value as its column keeps it: a number, 0 or 1 for a boolean, seconds since 1970 for a time, a category's text.

    Raises:
        ValueError: it is not of that type; the message says what would be.
    """
    match kind:
        case "number":
            return _number(value)
        case "boolean":
            return _boolean(value)
        case "datetime":
            return _time(value)
        case "category":
            if isinstance(value, dict | list):
                raise ValueError("expected a text")
            return as_text(value)


def as_text(value: object) -> str:
    """A value as a category, or as the name of a class: the way that JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def from_text(text: str, kind: ColumnType) -> Any:
    """The value that a text stands for, in a query or in a CSV file; None for a missing one, which has no text.

    Raises:
        ValueError: it stands for none of that type.
    """
    if not text.strip():
        return None
    if kind == "number":
        return _parsed_number(text)
    if kind == "boolean":
        meanings = {"true": True, "false": False, "1": True, "0": False}
        if text.strip().lower() not in meanings:
            raise ValueError(f"expected true or false, not {shown(text)}")
        return meanings[text.strip().lower()]
    return text


def _parsed_number(text: str) -> float:
    try:
        # float() also reads 1_000 and the digits of other scripts.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, or nothing for a missing value, not {shown(text)}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {shown(value)}")
    if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        raise ValueError("is beyond what a float32 can hold")
    return float(value)


def _boolean(value: Any) -> float:
    if isinstance(value, str) or value not in (0, 1):
        raise ValueError(f"expected true or false, not {shown(value)}")
    return float(value)


def _time(value: Any) -> float:
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a date or time in ISO 8601, not {shown(value)}") from None
