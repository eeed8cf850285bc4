"""A table in memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name: numbers as float32 or float64 [n] with NaN for missing, all else as objects [n]
    with None for missing."""

    columns: dict[str, np.ndarray[Any, Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))
