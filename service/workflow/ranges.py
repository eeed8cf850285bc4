"""The ranges of a table's columns."""

import numpy as np

from service.workflow.data.table import Numbers, Table
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.signature import Signature


def ranges(signature: Signature, table: Table, rows: Numbers) -> dict[str, list[float]]:
    """The smallest and the largest value of each input and output that is a number or a time (in seconds since 1970), by name.
    Columns without a value have none.

    Args:
        signature: names the columns.
        table: has their values.
        rows: the positions of the rows that count, int64 [m].
    """
    names = [each.name for each in signature.inputs if COLUMN_TYPES[each.type].chart_type != "N"]
    names += [each.name for each in signature.outputs if each.classes is None]
    found = {}
    for name in names:
        column = table.columns[name]
        if isinstance(column, np.ndarray) and len(present := column[rows][~np.isnan(column[rows])]):
            found[name] = [_shortest(present.min()), _shortest(present.max())]
    return found


def _shortest(number: np.floating) -> float:
    """A float32 or float64 with as few digits as distinguish it."""
    return float(str(number))
