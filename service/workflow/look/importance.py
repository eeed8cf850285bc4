"""How much a model depends on each of its inputs, as its manifest records it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.look.examples import Count

MOST_INPUTS = 500


class InputImportance(BaseModel):
    """One input: `mean` and population standard deviation `std` of the rise of the loss over the permutations."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    input: Annotated[str, Field(max_length=LONGEST_NAME)]
    mean: float
    std: Annotated[float, Field(ge=0)]


class Importance(BaseModel):
    """Permutation importance on `rows` rows of `part`: by how much the loss rises when an input's values are exchanged between
    the rows, `permutations` times.

    `loss` is that without a permutation: the logarithmic loss in nats (`log_loss`), or the squared error divided by the variance
    of the target in these rows (`relative_squared_error`: 1 - R²). `inputs` begins with the most important one. `left_out` inputs
    have no figure: there were too many for the bounded work, or their permutation made a loss that is no finite number.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    part: Literal["train", "validation", "test"]
    rows: Annotated[Count, Field(ge=2)]
    permutations: Annotated[Count, Field(ge=1)]
    measure: Literal["log_loss", "relative_squared_error"]
    loss: Annotated[float, Field(ge=0)]
    inputs: Annotated[list[InputImportance], Field(min_length=1, max_length=MOST_INPUTS)]
    left_out: Count = 0
