"""Whether the numbers of a column fit into a float32, by its statistics."""

import math

import numpy as np

from service.workflow.data.schema import Column

FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_LEAST = float(np.finfo(np.float32).tiny)  # below are the subnormal numbers
ROUNDING = 2.0**-24  # of a float32, relative to the number
MOST_LOST = 1e-3  # the share of a column's spread that rounding its largest numbers may lose


def needs_float64(column: Column) -> bool:
    """Whether a number is too large for float32, or rounding to it is not small against the spread of the column's numbers. A
    constant column has no spread to lose."""
    low, high = (column.statistics.get(name) for name in ("min", "max"))
    if low is None or high is None:
        return False
    largest = max(abs(low), abs(high))
    if largest > FLOAT32_MAX:
        return True
    if low == high:
        return False
    # Columns surveyed by older versions have no standard deviation; half the range is an upper bound.
    std = column.statistics.get("std")
    spread: float = std if std is not None and math.isfinite(std) and std > 0 else (high - low) / 2
    return spread > 0 and (spread < FLOAT32_LEAST or largest * ROUNDING > MOST_LOST * spread)
