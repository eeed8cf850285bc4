"""What goes into a model and what comes out: kept in the manifest, read by every prediction."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.schema import ColumnType, Scalar
from service.workflow.data.table import Wanted
from service.workflow.tasks import CLASSIFICATION, Task


class Input(BaseModel):
    """One feature, as a client names it. `categories` are those that the model tells apart, in sorted order; None until
    they are known, and for every other type."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnType
    categories: list[str] | None = None


class Output(BaseModel):
    """One target: a number, one of several classes, or a label that holds or does not.

    `classes` are the target's values in sorted order, as they stand in the data; None for a number.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "class", "label"]
    classes: list[Scalar] | None = None


class Signature(BaseModel):
    """The inputs in order, the outputs in order, and the question that is answered."""

    model_config = ConfigDict(frozen=True)

    task: Task
    inputs: list[Input]
    outputs: list[Output]

    @property
    def classifies(self) -> bool:
        """Whether the answer is one of several classes."""
        return self.task in CLASSIFICATION

    @property
    def classes(self) -> list[Scalar]:
        """The classes in sorted order; none when the answer is no class."""
        return (self.outputs[0].classes or []) if self.classifies else []

    def wanted(self) -> dict[str, Wanted]:
        """The columns to read, and how."""
        features = {each.name: Wanted(each.type) for each in self.inputs}
        return features | {each.name: Wanted(_read_as(each), exact=True) for each in self.outputs}


def _read_as(output: Output) -> ColumnType:
    if not output.classes or not isinstance(output.classes[0], str | bool):
        return "number"
    return "boolean" if isinstance(output.classes[0], bool) else "category"
