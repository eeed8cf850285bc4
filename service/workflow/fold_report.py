"""What is recorded of a training in folds: each network's rows, epochs and metrics, and how far the metrics are apart."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.folds import MOST_FOLDS
from service.workflow.look.examples import Count

Name = Annotated[str, Field(max_length=256)]
Values = Annotated[dict[Name, float | None], Field(max_length=100)]


class FoldOfRows(BaseModel):
    """One fold: the rows that its network has learned from and was validated by, the epochs that it was trained, the one whose
    weights it has, and its metrics on the rows that validate it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    train_rows: Count
    validation_rows: Count
    epochs: Count
    best_epoch: Count
    metrics: Values


class Spread(BaseModel):
    """The mean and the population standard deviation of a metric over the folds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    mean: float
    std: Annotated[float, Field(ge=0)]


class Folds(BaseModel):
    """All folds, and the spread of each metric; None for one that is not defined in some fold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    folds: Annotated[list[FoldOfRows], Field(min_length=2, max_length=MOST_FOLDS)]
    metrics: Annotated[dict[Name, Spread | None], Field(max_length=100)]
