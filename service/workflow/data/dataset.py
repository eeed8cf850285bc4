"""A data set that was uploaded before."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from service.workflow.data.columns import Columns
from service.workflow.data.data_kind import ChooseColumns, FindDataset, LoadedData
from service.workflow.data.read import read
from service.workflow.data.schema import Schema
from service.workflow.data.types.names import Name


class DatasetData(Columns):
    """A stored data set, by name; its newest version when none is given."""

    kind: Literal["dataset"] = "dataset"
    dataset: Name
    version: int | None = Field(default=None, ge=1)

    def survey(self, find: FindDataset) -> tuple[Self, Schema]:
        """The data set with its version, and the schema found when it was uploaded."""
        stored = find(self.dataset, self.version)
        return self.model_copy(update={"version": stored.version}), stored.schema

    def load(self, choose: ChooseColumns, find: FindDataset, scratch: Path) -> LoadedData:
        """The chosen columns of the file. Raises InvalidData, with the column and row."""
        stored = find(self.dataset, self.version)
        with stored.file() as path:
            table = read(path, stored.media_type, stored.schema, choose(stored.schema), scratch)
        return LoadedData(table, {"digest": stored.digest, "dataset": self.dataset, "version": stored.version})
