"""Metrics by group, as a manifest has them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.data.types.names import LONGEST_NAME

MOST_GROUPS = 200  # in a manifest
FEWEST_ROWS = 20  # of a group with metrics: of fewer they say little
FEWEST_OF_A_RATE = 10  # rows that are truly positive, or negative, of a group with that rate

Rows = Annotated[int, Field(ge=0)]
Word = Annotated[str, Field(max_length=256)]
ColumnName = Annotated[str, Field(max_length=LONGEST_NAME)]
Value = bool | int | float | Word
Share = Annotated[float, Field(ge=0, le=1)]


class GroupOfRows(BaseModel):
    """What the rows of a group have in common: a value, a range of numbers with both ends, that the value is missing, or that it
    is one of the others. Exactly one of the four."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    value: Value | None = None
    low: Value | None = None
    high: Value | None = None
    missing: bool = False
    other: bool = False
    rows: Rows


class Group(GroupOfRows):
    """A group with its metrics, which are absent below `FEWEST_ROWS` rows.

    `difference` is its headline metric minus that of the whole part. With two classes: the shares of its rows that are predicted
    to be positive, of all, of the truly positive and of the truly negative.
    """

    metrics: Annotated[dict[Word, float | None], Field(max_length=100)] | None = None
    difference: float | None = None
    selection_rate: Share | None = None
    true_positive_rate: Share | None = None
    false_positive_rate: Share | None = None


class ColumnGroups(BaseModel):
    """The groups by one column. With two classes: the largest difference between the selection rates of two groups, and between
    their true or false positive rates."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    column: ColumnName
    groups: Annotated[list[Group], Field(max_length=MOST_GROUPS)]
    demographic_parity_difference: Share | None = None
    equalised_odds_difference: Share | None = None


class WorstGroup(GroupOfRows):
    """The group that is worse than the other rows by the most, less the margin of chance. `of_group` and `of_others` are the
    headline metric; `beyond_chance` is whether their difference is larger than the margin."""

    column: ColumnName
    of_group: float
    of_others: float
    margin: Annotated[float, Field(ge=0)]
    beyond_chance: bool


class Slices(BaseModel):
    """Metrics by group of a part's rows. `metric` is the headline: the accuracy, or the mean absolute error. `positive` is the
    class whose rates are given, of two. `left_out` columns would have had more groups than `MOST_GROUPS` in all."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    part: Literal["train", "validation", "test"]
    rows: Rows
    metric: Literal["accuracy", "mae"]
    positive: Value | None = None
    columns: Annotated[list[ColumnGroups], Field(max_length=MOST_GROUPS)]
    left_out: Rows = 0
    worst: WorstGroup | None = None
