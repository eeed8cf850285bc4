"""The interface of an open file with a table."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from service.workflow.data.types.evidence import Evidence

if TYPE_CHECKING:
    import polars as pl

Batch = Mapping[str, "pl.Series"]  # by column name; the series have none, since polars reads some names as patterns


class TableFile(ABC):
    """The names of the columns in order, and their values in batches."""

    names: list[str]
    notes: Sequence[str] = ()  # on repairs of names and rows
    nameless: frozenset[str] = frozenset()  # columns without a name in the file
    well_formed: bool = False  # whether the file is read without repairs
    typed: bool = False  # whether the format distinguishes texts from numbers

    def gather(self, evidence: Mapping[str, Evidence]) -> "dict[str, pl.DataType]":
        """Adds the named columns that are texts to their evidence. Returns the types of the others."""
        import polars as pl

        dtypes: dict[str, pl.DataType] = {}
        for batch in self.batches([*evidence], {}):
            for name, series in batch.items():
                if series.dtype == pl.String or series.dtype.base_type() in (pl.Categorical, pl.Enum):
                    evidence[name].add(series.cast(pl.String))
                else:
                    dtypes[name] = series.dtype
        return dtypes

    @abstractmethod
    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns. A text format gives columns as texts, but those of `plain` with that type if every cell is a
        number; other formats give the types of the file.

        Raises:
            InvalidData, PolarsError: a value cannot be read.
        """
