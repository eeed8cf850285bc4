"""How a model's mean answer depends on single inputs, as the points of its charts record it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.data.types.names import LONGEST_NAME, Scalar
from service.workflow.look.examples import Count

MOST_DEPENDENCES = 8  # inputs
MOST_GRID = 20  # values of an input
MOST_NAMES = 12  # values of an input that are no numbers or times
MOST_ANSWERS = 5  # targets, classes or labels
LONGEST_VALUE = 200  # characters


class InputDependence(BaseModel):
    """One input: `values`, in order, and for each answer the `means` at these values, null where one is no finite number."""

    model_config = ConfigDict(frozen=True)

    input: Annotated[str, Field(max_length=LONGEST_NAME)]
    values: Annotated[list[Scalar], Field(min_length=2, max_length=MOST_GRID)]
    means: Annotated[list[list[float | None]], Field(min_length=1, max_length=MOST_ANSWERS)]


class PartialDependence(BaseModel):
    """The mean answer over `rows` rows of `part` when all of them have the same value of an input, and their own of the others.
    `answers` are the positions of the targets, or of the classes or labels among `Signature.labels`."""

    model_config = ConfigDict(frozen=True)

    part: Literal["train", "validation", "test"]
    rows: Annotated[Count, Field(ge=1)]
    answers: Annotated[list[Count], Field(min_length=1, max_length=MOST_ANSWERS)]
    inputs: Annotated[list[InputDependence], Field(min_length=1, max_length=MOST_DEPENDENCES)]
