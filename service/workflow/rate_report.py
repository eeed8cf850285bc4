"""What is recorded of the search of `effort: high`."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_TRIED = 100


class TriedRates(BaseModel):
    """One short training: its largest learning rate and weight decay, and the loss that early stopping watches in its best epoch;
    None if it diverged."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    loss: float | None


class RateSearch(BaseModel):
    """All short trainings, the default's first, and the position of the one whose rates the model was trained with."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    tried: Annotated[list[TriedRates], Field(min_length=1, max_length=MOST_TRIED)]
    chosen: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _has_chosen_one(self) -> Self:
        if self.chosen >= len(self.tried):
            raise ValueError(f"expected the position of one of the {len(self.tried)} that were tried")
        return self
