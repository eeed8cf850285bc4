"""A file of a table that is open to be read: what every format gives."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

Batch = Mapping[
    str, "pl.Series"
]  # by name; the series themselves have none, for polars reads some names as more than that


class TableFile(ABC):
    """The names of the columns in order, and their values batch by batch. `notes` tell what was done to get the names and
    the rows; `nameless` are columns that the file has no name for."""

    names: list[str]
    notes: Sequence[str] = ()
    nameless: frozenset[str] = frozenset()
    well_formed: bool = False  # whether it is read as it lies
    typed: bool = False  # whether the format tells texts from numbers

    @abstractmethod
    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns, those that are plain numbers at once as the type that is wanted where the format allows it;
        the other columns of a text format as texts, of other formats as they are.

        Raises:
            InvalidData, PolarsError: a value cannot be read.
        """
