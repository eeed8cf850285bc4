"""What goes into a model and what comes out: kept in the manifest, read by every prediction."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.schema import Scalar
from service.workflow.tasks import CLASSIFICATION, Task


class Input(BaseModel):
    """One feature, as a client names it."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number"]


class Output(BaseModel):
    """One target. `classes` are its values in sorted order, as they stand in the data; None for a number."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "class"]
    classes: list[Scalar] | None = None


class Signature(BaseModel):
    """The inputs in order, the outputs in order, and the question that is answered."""

    model_config = ConfigDict(frozen=True)

    task: Task
    inputs: list[Input]
    outputs: list[Output]

    @property
    def classifies(self) -> bool:
        """Whether the answer is a class."""
        return self.task in CLASSIFICATION

    @property
    def classes(self) -> list[Scalar]:
        """The classes in sorted order; none when the answer is a number."""
        return self.outputs[0].classes or []
