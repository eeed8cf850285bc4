"""What a version's inputs and answers were like when it was trained, as its manifest records it: the reference for drift."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.look.examples import Count
from service.workflow.signature import Signature

MOST_BINS = 20  # of a column, beside missing and unknown values
MOST_INPUTS = 200  # that are watched, so that a manifest and the counts of an hour stay small
MOST_CODES = 2**20


class ColumnReference(BaseModel):
    """The bins of one input or output, and how many rows of the reference are in each.

    A number, boolean or time is in the bin of the first of the `edges` that it does not exceed, or else in the last one. A time
    is in days, as in the raw features. A category, class or label is in the bin of its position from 1 among those that the
    model knows, if that is one of `codes`, or else in the last bin, that of all others. Exactly one of `edges` and `codes` is
    set. `unknown` values are categories that the model does not know.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    edges: Annotated[list[float], Field(max_length=MOST_BINS - 1)] | None = None
    codes: Annotated[list[Annotated[int, Field(ge=1, le=MOST_CODES)]], Field(max_length=MOST_BINS - 1)] | None = None
    counts: Annotated[list[Count], Field(min_length=1, max_length=MOST_BINS)]
    missing: Count = 0
    unknown: Count = 0

    @property
    def rows(self) -> int:
        """The rows of the reference."""
        return sum(self.cells)

    @property
    def cells(self) -> list[int]:
        """All counts: those of the bins, of missing values and of unknown ones."""
        return [*self.counts, self.missing, self.unknown]

    @model_validator(mode="after")
    def _check(self) -> Self:
        bounds = self.edges if self.codes is None else self.codes
        if bounds is None or (self.edges is not None and self.codes is not None):
            raise ValueError("expected either edges or codes")
        if len(self.counts) != len(bounds) + 1:
            raise ValueError(f"expected {len(bounds) + 1} counts, one more than edges or codes")
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError("expected edges or codes that rise")
        return self


class Reference(BaseModel):
    """The bins of the inputs, counted in the training part, and those of the answers, counted in `answers_part`. `left_out`
    inputs are not watched: their values have a shape, or there are more than `MOST_INPUTS`."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    inputs: Annotated[list[ColumnReference], Field(max_length=MOST_INPUTS)]
    answers: Annotated[list[ColumnReference], Field(max_length=MOST_INPUTS)]
    answers_part: Literal["train", "validation"]
    left_out: Count = 0

    def check(self, signature: Signature) -> None:
        """Checks that the columns are those of a signature, each once and in its order.

        Raises:
            ValueError: they are not; the message begins with the JSON pointer.
        """
        inputs, outputs = [each.name for each in signature.inputs], [each.name for each in signature.outputs]
        for where, ours, theirs in (("inputs", self.inputs, inputs), ("answers", self.answers, outputs)):
            position = {name: at for at, name in enumerate(theirs)}
            found = [position.get(each.name, -1) for each in ours]
            if -1 in found or any(a >= b for a, b in pairwise(found)):
                raise ValueError(f"/reference/{where}: expected columns of the signature, each once and in its order")
        if self.left_out != len(signature.inputs) - len(self.inputs):
            rule = f"expected {len(signature.inputs) - len(self.inputs)}, the inputs that are not in the list"
            raise ValueError(f"/reference/left_out: {rule}")
