"""Whether a column's numbers fit into a float32, by their statistics."""

import math

import numpy as np

from service.workflow.data.schema import Column

FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_LEAST = float(np.finfo(np.float32).tiny)  # below are the subnormal numbers
ROUNDING = 2.0**-24  # of a float32, relative to the number
MOST_LOST = 1e-3  # of a column's spread, by rounding its largest numbers


def needs_float64(column: Column) -> bool:
    """Whether rounding to float32 would take too much of what tells the column's numbers apart, or all of a number: a
    number is beyond float32, or the spread is not large against the rounding. A constant column has nothing to lose."""
    low, high = (column.statistics.get(name) for name in ("min", "max"))
    if low is None or high is None:
        return False
    largest = max(abs(low), abs(high))
    if largest > FLOAT32_MAX:
        return True
    spread = _spread(column, low, high)
    return spread > 0 and (spread < FLOAT32_LEAST or largest * ROUNDING > MOST_LOST * spread)


def _spread(column: Column, low: float, high: float) -> float:
    """The standard deviation; 0 of a constant column, whatever the rounding of its mean has left."""
    if low == high:
        return 0.0
    std = column.statistics.get("std")
    # Half the range is the most that a standard deviation can be: what is known of columns surveyed without one.
    return std if std is not None and math.isfinite(std) and std > 0 else (high - low) / 2
