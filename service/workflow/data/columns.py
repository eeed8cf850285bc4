"""The fields that the kinds of data with columns share: targets, features, task."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from service.workflow.data.data_kind import DataKind
from service.workflow.data.types.names import ColumnType, ListedName, Name
from service.workflow.spec_base import COUNTED, Specification
from service.workflow.tasks import Task


class Feature(Specification):
    """How a feature's values are read."""

    type: ColumnType | Literal["text", "image"]

    @field_validator("type")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value in ("text", "image"):
            raise ValueError(f"{value} features are not there yet; number, category, boolean and datetime are")
        return value


# Told apart by what was given, so that only the faults of that form are listed; `<…>` is no step into a document.
Features = Annotated[
    Annotated[list[ListedName], Tag("<list>")]
    | Annotated[dict[ListedName, Annotated[Feature, COUNTED]], Tag("<object>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list) else "<object>"),
]


class Columns(DataKind):
    """What to learn, and from what."""

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


__all__ = ["Columns", "Feature", "Features", "Name"]
