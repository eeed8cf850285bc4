"""A data set that was uploaded before."""

from typing import Literal

from pydantic import Field

from service.workflow.data.columns import Columns, Name


class DatasetData(Columns):
    """A stored data set, by name; its newest version when none is given."""

    kind: Literal["dataset"] = "dataset"
    dataset: Name
    version: int | None = Field(default=None, ge=1)
