"""Converts the values of one input, from JSON or texts, to a column: all at once if they are plain, or else value by value with
an error by row."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import simdjson

from service.serving.forward import Array
from service.workflow.data.precision import FLOAT32_MAX
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.how import SPACE, How
from service.workflow.data.types.number import FLOAT64_MAX
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.values import MISSING, texts
from service.workflow.encode import raw_dtype
from service.workflow.signature import Input
from service.workflow.spec_base import MOST_FAULTS

ABSENT = "is missing, and this model was trained without missing values"
RowErrors = dict[int, str]  # error messages by row, of the first invalid rows
Read = Callable[[Input, Sequence[Any], float], tuple[Numbers | Texts, RowErrors]]
_BOOLEANS = frozenset((bool, int, float, type(None)))
_TEXTS = frozenset((str, type(None)))


def are_numeric(inputs: Sequence[Input]) -> bool:
    """Whether every input is a number or a boolean."""
    return all(each.type in ("number", "boolean") for each in inputs)


def parse_numbers(text: bytes) -> Array | None:
    """The numbers of a JSON list, float64 [n]; lists in it are flattened. None if it is not JSON, or holds anything else."""
    try:
        return np.frombuffer(simdjson.Parser().parse(text).as_buffer(of_type="d"))  # type: ignore[union-attr]
    except (ValueError, TypeError, AttributeError, RuntimeError):
        return None


def largest_number(inputs: Sequence[Input]) -> float:
    """The largest number that these inputs accept."""
    return largest_number_of(raw_dtype(inputs))


def largest_number_of(dtype: "np.dtype[Any]") -> float:
    """The largest number of a raw tensor with this dtype."""
    return FLOAT64_MAX if dtype == np.float64 else FLOAT32_MAX


def number_block(kind: str, columns: Sequence[Sequence[Any]], most: float) -> Numbers | None:
    """Converts columns of numbers, or of booleans, to float64 [columns, n], NaN for null. None if any value is of another type
    or above `most`."""
    made, missing = array("d"), 0
    for values in columns:
        try:
            try:
                made.extend(array("d", values))  # takes numbers and booleans, and nothing else
            except TypeError:
                if not _BOOLEANS.issuperset(map(type, values)):
                    return None
                made.extend([MISSING if value is None else value for value in values])
                missing += values.count(None)
        except OverflowError:
            return None
    numbers: Numbers = np.frombuffer(made).reshape(len(columns), -1)
    if np.count_nonzero(np.isnan(numbers)) != missing:
        return None
    truths = (numbers == 0) | (numbers == 1)  # or numbers with these values
    if kind == "boolean":
        return numbers if (truths | np.isnan(numbers)).all() else None
    if (np.abs(numbers) > most).any():
        return None
    if truths.any() and any(bool in set(map(type, columns[k])) for k in np.flatnonzero(truths.any(axis=1)).tolist()):
        return None
    return numbers


def number_block_of_texts(columns: Sequence[Sequence[str]], most: float) -> Numbers | None:
    """Converts columns of texts that are JSON numbers or empty to float64 [columns, n], NaN for an empty one. None if any text
    is something else or above `most`."""
    joined = (",".join(values if all(values) else [text or "0" for text in values]) for values in columns)
    text = f"[{','.join(joined)}]"
    if text.count("[") != 1:  # lists in it would be flattened
        return None
    found = parse_numbers(text.encode())
    if found is None or len(found) != len(columns) * len(columns[0]) or (np.abs(found) > most).any():
        return None
    numbers: Numbers = found.reshape(len(columns), -1).copy()
    for k, values in enumerate(columns):
        if not all(values):
            numbers[k, [row for row, text in enumerate(values) if not text]] = np.nan
    return numbers


def from_values(of: Input, values: Sequence[Any], most: float) -> tuple[Numbers | Texts, RowErrors]:
    """Converts JSON values to a column, and returns it with the errors. Blank texts are missing values, as are the data set's
    words for them."""
    if COLUMN_TYPES[of.type].texts and set(map(type, values)) <= _TEXTS:
        found = texts(values)
        if not any(text != text.strip(SPACE) or of.how.is_missing(text) for text in found.values):
            return found, {}
    return _converted(of, values, COLUMN_TYPES[of.type].from_value, most)


def from_texts(of: Input, given: Sequence[str | None], most: float) -> tuple[Numbers | Texts, RowErrors]:
    """Converts texts, as in a query or in CSV, to a column, and returns it with the errors."""
    if COLUMN_TYPES[of.type].texts:  # a text is used unchanged
        return from_values(of, given, most)
    return _converted(of, given, COLUMN_TYPES[of.type].from_text, most)


def from_distinct(of: Input, given: Texts, most: float, read: Read | None = None) -> tuple[Numbers | Texts, RowErrors]:
    """Converts texts to a column by `read`, or else `from_values`, once for each distinct text, and returns it with the errors.
    The distinct texts must be in the order of their first rows."""
    column, wrong = (read or from_values)(of, [*given.values, None], most)
    # The last one is for the code -1: missing.
    taken = Texts(column.codes[given.codes], column.values) if isinstance(column, Texts) else column[given.codes]
    rows = ((np.flatnonzero(given.codes == code)[:MOST_FAULTS].tolist(), message) for code, message in wrong.items())
    return taken, {row: message for found, message in rows for row in found}


def _converted(
    of: Input, values: Sequence[Any], convert: Callable[[Any, How], float | str | None], most: float
) -> tuple[Numbers | Texts, RowErrors]:
    """Converts value by value."""
    converted: list[Any] = []
    wrong, kind = RowErrors(), COLUMN_TYPES[of.type]
    for row, value in enumerate(values):
        try:
            found = None if value is None else convert(value, of.how)
            if kind.numeric and type(found) is float and not -most <= found <= most:
                raise ValueError(out_of_range(most))
            converted.append(found)
        except ValueError as error:
            converted.append(None)
            if len(wrong) < MOST_FAULTS:
                wrong[row] = str(error)
    if kind.texts:
        return texts(converted), wrong
    return np.array([MISSING if each is None else each for each in converted], np.float64), wrong


def missing_errors(column: Numbers | Texts, wrong: RowErrors) -> RowErrors:
    """The errors of a column in which no value may be missing, given those of its conversion."""
    missing = column.codes < 0 if isinstance(column, Texts) else np.isnan(column)
    rows = np.flatnonzero(missing)[: MOST_FAULTS + len(wrong)].tolist()
    return dict.fromkeys(rows, ABSENT) | wrong  # an invalid value has become a missing one


def out_of_range(most: float) -> str:
    """The error message for a larger number."""
    return f"is beyond what a float{32 if most == FLOAT32_MAX else 64} can hold"
