"""A table in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.workflow.data.types.names import TypeName

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Texts:
    """A column of texts: `codes` are positions in `values`, -1 for a missing text (int32 [n])."""

    codes: Numbers
    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name: texts, or float32 or float64 [n] with NaN for missing values. Booleans are 0 and 1, times
    seconds since 1970 (UTC)."""

    columns: Mapping[str, Numbers | Texts]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self, positions: Numbers) -> "Table":
        """The rows at these positions (int64 [m]), in this order."""
        return Table(
            {
                name: Texts(column.codes[positions], column.values) if isinstance(column, Texts) else column[positions]
                for name, column in self.columns.items()
            }
        )


@dataclass(frozen=True)
class RequestedColumn:
    """How a column is to be read. What a model must hit is kept in full precision, what it learns from in float32."""

    type: TypeName
    exact: bool = False
