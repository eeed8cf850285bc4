"""The fields that the kinds of data with columns share: targets, features, task."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from service.workflow.data.data_kind import DataKind
from service.workflow.data.types.feature import AnyFeature
from service.workflow.data.types.names import ListedName, Name
from service.workflow.tasks import Task

# Distinguished by the type of the value, so that only its own faults are listed. Tags in `<…>` are not part of pointers.
Features = Annotated[
    Annotated[list[ListedName], Tag("<list>")] | Annotated[dict[ListedName, AnyFeature], Tag("<object>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list) else "<object>"),
]


class Columns(DataKind):
    """Data in columns: the targets, the features and the task."""

    target: Name | list[ListedName] = Field(description="the column, or columns, to learn")
    features: Features | None = Field(
        default=None, description="the columns to learn from; all but the target when absent"
    )
    task: Annotated[Task, Field(strict=False)] | None = Field(
        default=None, description="inferred from the target when absent"
    )

    @property
    def targets(self) -> list[str]:
        """The targets' names, as a list."""
        return [self.target] if isinstance(self.target, str) else self.target
