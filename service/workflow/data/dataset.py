"""A data set that was uploaded before."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from service.workflow.data.columns import Columns
from service.workflow.data.data_kind import ChooseColumns, FindDataset, LoadedData
from service.workflow.data.schema import Schema
from service.workflow.data.stored_table import read_stored
from service.workflow.data.types.names import ListedName, Name
from service.workflow.errors import invalid
from service.workflow.spec_base import shown


class DatasetData(Columns):
    """A stored data set, by name; its newest version when none is given."""

    kind: Literal["dataset"] = "dataset"
    dataset: Name
    version: int | None = Field(default=None, ge=1)
    target: Name | list[ListedName] | None = Field(  # type: ignore[assignment] # `survey` fills it in
        default=None,
        description="the column, or columns, to learn; when absent the labels of a data set of files, or `y` of arrays",
    )

    @property
    def targets(self) -> list[str]:
        """The targets' names; empty before `survey` where the spec names none."""
        return [] if self.target is None else super().targets

    def survey(self, find: FindDataset) -> tuple[Self, Schema]:
        """The data set with its version and target, and the schema found when it was uploaded.

        Raises:
            InvalidSpec: no target is named, and the data set has no column that is usually it.
        """
        stored = find(self.dataset, self.version)
        target = stored.schema.target if self.target is None else self.target
        if target is None:
            message = (
                f"name the column to learn: {shown(self.dataset)} has none that is learned unless another is named"
            )
            raise invalid("/data/target", message)
        return self.model_copy(update={"version": stored.version, "target": target}), stored.schema

    def load(self, choose: ChooseColumns, find: FindDataset, scratch: Path) -> LoadedData:
        """The chosen columns of the file. Raises InvalidData, with the column and row."""
        stored = find(self.dataset, self.version)
        with stored.file() as path:
            table = read_stored(path, stored.media_type, stored.schema, choose(stored.schema), scratch)
        return LoadedData(table, {"digest": stored.digest, "dataset": self.dataset, "version": stored.version})
