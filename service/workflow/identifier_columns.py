"""Features that name or number the rows: a model learns them by heart, and new rows have other values."""

import re
from collections.abc import Iterator

import numpy as np

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.signature import Signature
from service.workflow.spec_base import shown

MOST_FEATURES = 200
FEWEST_ROWS = 50  # with a value
NEARLY_ALL = 0.95  # of the texts are different
STEADY = 0.9  # of the steps from row to row are the same
NAMED = 5  # features that a warning lists
IDENTIFIERS = {"id", "ids", "uuid", "guid"}  # words in the name of a column
TIMES = {"year", "quarter", "month", "week", "day", "date", "time", "hour", "minute", "second", "period", "t"}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


def warn_of_identifiers(signature: Signature, table: Table) -> Iterator[str]:
    """A sentence for the texts of which nearly all are different; and one for the whole numbers that are all different and go up
    or down with the rows in steps that are nearly all the same, unless they are named as times, or that are named as an
    identifier. Of a model with one input there is none.

    Args:
        table: has the columns, in the order of the rows in the data.
    """
    if len(signature.inputs) < 2:
        return
    inputs = [each for each in signature.inputs if not COLUMN_TYPES[each.type].shaped][:MOST_FEATURES]
    columns = {each.name: plain(table.columns[each.name]) for each in inputs}
    numeric = {each.name for each in inputs if COLUMN_TYPES[each.type].numeric}
    if naming := [name for name, each in columns.items() if isinstance(each, Texts) and _names_rows(each)]:
        has = "has a different value" if len(naming) == 1 else "have different values"
        yield (
            f"{_listed(naming)} {has} in nearly every row, as an identifier has: new rows have others, of which the model knows "
            "nothing. Leave it out of `features`, or read it as `text` if its words matter"
        )
    numbers = {name: each for name, each in columns.items() if name in numeric and not isinstance(each, Texts)}
    if numbering := [name for name, each in numbers.items() if _numbers_rows(name, each)]:
        verb = "numbers" if len(numbering) == 1 else "number"
        yield (
            f"{_listed(numbering)} {verb} the rows, as an identifier does: new rows have numbers beyond those of the training. "
            "Leave it out of `features`, unless it is a measure or a time"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(map(shown, names[:NAMED])) + (", …" if len(names) > NAMED else "")


def _names_rows(column: Texts) -> bool:
    codes = column.codes[column.codes >= 0]
    return len(codes) >= FEWEST_ROWS and len(np.unique(codes)) >= NEARLY_ALL * len(codes)


def _numbers_rows(name: str, column: Numbers) -> bool:
    values = column[~np.isnan(column)].astype(np.float64)
    if len(values) < FEWEST_ROWS or (values != np.floor(values)).any() or len(np.unique(values)) < len(values):
        return False
    words = {each.lower() for each in _WORDS.findall(name)}
    if words & IDENTIFIERS:
        return True
    steps, counts = np.unique(np.diff(values), return_counts=True)
    return (
        bool(counts.max() >= STEADY * (len(values) - 1) and (steps > 0).all() | (steps < 0).all()) and not words & TIMES
    )
