"""The fields that the kinds of data with columns share: targets, features, task."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from service.workflow.data.data_kind import DataKind
from service.workflow.data.types.names import ListedName, Name, TypeName, type_names
from service.workflow.spec_base import COUNTED, SpecBase
from service.workflow.tasks import Task


class Feature(SpecBase):
    """How a feature's values are read."""

    type: TypeName | Literal["text", "image"]

    @field_validator("type")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value in ("text", "image"):
            *others, last = type_names()
            raise ValueError(f"{value} features are not there yet; {', '.join(others)} and {last} are")
        return value


# Distinguished by the type of the value, so that only its own faults are listed. Tags in `<…>` are not part of pointers.
Features = Annotated[
    Annotated[list[ListedName], Tag("<list>")]
    | Annotated[dict[ListedName, Annotated[Feature, COUNTED]], Tag("<object>")],
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
