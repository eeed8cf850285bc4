"""Drift of what a model predicts, as the service answers it."""

from typing import ClassVar

from modelwright.results import Result, Within


class DriftOfColumn(Result):
    """An input or an answer of the rows that were predicted beside the reference. The shares are of all rows; the bins end at
    `edges`, or are the values with the positions `codes` from 1."""

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


class Drift(Result):
    """Whether the rows that a version has predicted since a time differ from those of its reference. With too few rows `enough`
    is false, `drifted` is None, and there are no columns."""

    within: ClassVar[Within] = {"inputs": DriftOfColumn, "answers": DriftOfColumn}
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
    answers_part: str
    left_out: int
