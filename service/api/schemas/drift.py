"""Drift of a version."""

from typing import Literal

from typing_extensions import TypedDict

from service.api.schemas.answer import closed


@closed
class DriftOfColumn(TypedDict):
    """An input or an answer in the window beside the reference: the population stability index, Pearson's chi-squared test with
    its p-value corrected for all columns (Holm), the shares of missing values and of unknown categories, and the rows in each
    bin. Bins end at `edges`, and the last one is open; or they are the values with the positions `codes`, from 1, among the
    categories or classes of the signature, and the last one has all others. One of the two is null."""

    name: str
    drifted: bool
    psi: float
    p_value: float
    statistic: float
    degrees: int
    rows: int
    reference_rows: int
    missing: float
    reference_missing: float
    unknown: float
    reference_unknown: float
    edges: list[float] | None
    codes: list[int] | None
    counts: list[int]
    reference_counts: list[int]


@closed
class Drift(TypedDict):
    """Whether the rows that a version has predicted since a time differ from those of its reference. With too few rows `enough`
    is false, `reason` says so, `drifted` is null, and there are no columns. A column has drifted if its corrected p-value is at
    most `level` and its PSI at least `threshold`. The reference of the inputs is the training part, that of the answers
    `answers_part`; `left_out` inputs are not watched."""

    name: str
    version: int
    digest: str
    since: str
    rows: int
    enough: bool
    reason: str | None
    drifted: bool | None
    level: float
    threshold: float
    inputs: list[DriftOfColumn]
    answers: list[DriftOfColumn]
    answers_part: Literal["train", "validation"]
    left_out: int
