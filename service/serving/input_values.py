"""From the values of one input, as JSON or texts have them, to a column: all at once where they are plain, and else value by
value, with what is wrong by row."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import simdjson

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
Wrong = dict[int, str]  # by row, what is wrong with its value; the first rows of them
Read = Callable[[Input, Sequence[Any], float], tuple[Numbers | Texts, Wrong]]
_BOOLEANS = frozenset((bool, int, float, type(None)))
_TEXTS = frozenset((str, type(None)))


def greatest(inputs: Sequence[Input]) -> float:
    """The largest number that these inputs take."""
    return greatest_of(raw_dtype(inputs))


def greatest_of(dtype: "np.dtype[Any]") -> float:
    """The largest number that a raw tensor of this type takes."""
    return FLOAT64_MAX if dtype == np.float64 else FLOAT32_MAX


def block(kind: str, columns: Sequence[Sequence[Any]], most: float) -> Numbers | None:
    """Columns of numbers, or of booleans, whose values are all as they should be: float64 [columns, n], NaN for null.
    None where there is any other, so that a closer look is needed."""
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
    truths = (numbers == 0) | (numbers == 1)  # or numbers that are the same
    if kind == "boolean":
        return numbers if (truths | np.isnan(numbers)).all() else None
    if (np.abs(numbers) > most).any():
        return None
    if truths.any() and any(bool in set(map(type, columns[k])) for k in np.flatnonzero(truths.any(axis=1)).tolist()):
        return None
    return numbers


def block_of_texts(columns: Sequence[Sequence[str]], most: float) -> Numbers | None:
    """Columns of texts that are numbers as JSON writes them, or empty: float64 [columns, n], NaN for an empty one. None where
    there is any other, so that a closer look is needed."""
    joined = (",".join(values if all(values) else [text or "0" for text in values]) for values in columns)
    text = f"[{','.join(joined)}]"
    if text.count("[") != 1:  # lists in it would be flattened
        return None
    try:
        found = simdjson.Parser().parse(text.encode()).as_buffer(of_type="d")  # type: ignore[union-attr]
        numbers: Numbers = np.array(np.frombuffer(found).reshape(len(columns), -1))
    except (ValueError, TypeError, AttributeError, RuntimeError):
        return None
    if numbers.shape[1] != len(columns[0]) or (np.abs(numbers) > most).any():
        return None
    for k, values in enumerate(columns):
        if not all(values):
            numbers[k, [row for row, text in enumerate(values) if not text]] = np.nan
    return numbers


def from_values(of: Input, values: Sequence[Any], most: float) -> tuple[Numbers | Texts, Wrong]:
    """A column from values as JSON has them, and what is wrong with some of them. An empty or blank text is a missing one, as
    are the words of the data for it."""
    if COLUMN_TYPES[of.type].texts and set(map(type, values)) <= _TEXTS:
        found = texts(values)
        if not any(text != text.strip(SPACE) or of.how.is_missing(text) for text in found.values):
            return found, {}
    return _converted(of, values, COLUMN_TYPES[of.type].from_value, most)


def from_texts(of: Input, given: Sequence[str | None], most: float) -> tuple[Numbers | Texts, Wrong]:
    """A column from texts that stand for values, as in a query or in CSV, and what is wrong with some of them."""
    if COLUMN_TYPES[of.type].texts:  # a text stands for itself
        return from_values(of, given, most)
    return _converted(of, given, COLUMN_TYPES[of.type].from_text, most)


def from_distinct(of: Input, given: Texts, most: float, read: Read | None = None) -> tuple[Numbers | Texts, Wrong]:
    """A column from texts, each distinct one read once, as by `from_values` or by another; and what is wrong with some of
    them. The distinct texts come in the order of their first rows."""
    column, wrong = (read or from_values)(of, [*given.values, None], most)
    # The last one is that for the code -1: missing.
    taken = Texts(column.codes[given.codes], column.values) if isinstance(column, Texts) else column[given.codes]
    rows = ((np.flatnonzero(given.codes == code)[:MOST_FAULTS].tolist(), message) for code, message in wrong.items())
    return taken, {row: message for found, message in rows for row in found}


def _converted(
    of: Input, values: Sequence[Any], convert: Callable[[Any, How], float | str | None], most: float
) -> tuple[Numbers | Texts, Wrong]:
    """Value by value."""
    converted: list[Any] = []
    wrong = Wrong()
    for row, value in enumerate(values):
        try:
            found = None if value is None else convert(value, of.how)
            if COLUMN_TYPES[of.type].numeric and type(found) is float and not -most <= found <= most:
                raise ValueError(shown_beyond(most))
            converted.append(found)
        except ValueError as error:
            converted.append(None)
            if len(wrong) < MOST_FAULTS:
                wrong[row] = str(error)
    if COLUMN_TYPES[of.type].texts:
        return texts(converted), wrong
    return np.array([MISSING if each is None else each for each in converted], np.float64), wrong


def absent(column: Numbers | Texts, wrong: Wrong) -> Wrong:
    """What is wrong with the values of a column, where none may be missing."""
    missing = column.codes < 0 if isinstance(column, Texts) else np.isnan(column)
    rows = np.flatnonzero(missing)[: MOST_FAULTS + len(wrong)].tolist()
    return dict.fromkeys(rows, ABSENT) | wrong  # what is wrong has become no value, either


def shown_beyond(most: float) -> str:
    """What is wrong with a number that is larger."""
    return f"is beyond what a float{32 if most == FLOAT32_MAX else 64} can hold"
