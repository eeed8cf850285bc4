"""The interface of every kind of data that a spec may name."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from service.workflow.data.schema import Schema
from service.workflow.data.table import RequestedColumn, Table
from service.workflow.spec_base import SpecBase


@dataclass(frozen=True)
class StoredDataset:
    """One version of an uploaded data set. `file` gives a local copy for the time of a `with` block."""

    version: int
    schema: Schema
    media_type: str
    digest: str
    file: Callable[[], AbstractContextManager[Path]]


FindDataset = Callable[[str, int | None], StoredDataset]  # by name and version; the newest version for None
ChooseColumns = Callable[[Schema], Mapping[str, RequestedColumn]]


@dataclass(frozen=True)
class LoadedData:
    """A table, and what the manifest records of its source."""

    table: Table
    source: dict[str, Any]


class DataKind(SpecBase):
    """A kind of data. To add one: a subclass in a file of its own, with `kind: Literal[…]`, and its name in the union `Data`
    of `spec.py`."""

    default_model: ClassVar[str | None] = None  # the kind of model of a spec that names none, if not by its inputs
    normalizes: ClassVar[bool] = True  # whether its features may be normalized when the spec does not say

    @property
    @abstractmethod
    def targets(self) -> list[str]:
        """The targets' names."""

    @abstractmethod
    def survey(self, find: FindDataset) -> tuple[Self, Schema]:
        """These data with the version of a stored data set filled in, and the schema of their table, before anything is
        loaded."""

    @abstractmethod
    def load(self, choose: ChooseColumns, find: FindDataset, scratch: Path) -> LoadedData:
        """The columns chosen from the schema. Temporary files go below `scratch`.

        Raises:
            InvalidData: a value is not of the type that is wanted; its column and row are named.
        """

    def to_json(self) -> dict[str, Any]:
        """These data as JSON values."""
        return self.model_dump(mode="json")
