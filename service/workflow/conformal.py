"""Split conformal prediction: how far answers are from the truth on rows that were neither learned from nor chosen by, and what
that says about the answer to another row.

Numbers get an interval of their absolute residuals (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman: "Distribution-free predictive
inference for regression", JASA 2018), classes a set by 1 - p of the true class (Sadinle, Lei and Wasserman: "Least ambiguous
set-valued classifiers with bounded error levels", JASA 2019).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from service.workflow.data.table import Numbers
from service.workflow.decision import decide_array
from service.workflow.errors import NoIntervals, invalid
from service.workflow.evaluation import Evaluation
from service.workflow.parts import CALIBRATION
from service.workflow.signature import Signature
from service.workflow.split import Split, SplitSpec
from service.workflow.tasks import Task

LEVEL = 0.9  # of the coverage in the metrics
FEWEST = 9  # rows of a calibration part: those that a level of 0.9 needs
MOST_SCORES = 1000  # in a manifest, of all targets together
MOST_TARGETS = 20

Method = Literal["absolute_residual", "least_ambiguous_set"]
Scores = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=MOST_SCORES)]


class Conformal(BaseModel):
    """The scores of the rows of a calibration part: the larger one, the further an answer was from the truth.

    `method` is `absolute_residual` of numbers, in the target's units, or `least_ambiguous_set` of classes, whose score is 1 - p
    of the true one. `scores` has for each output those of the ranks that `kept` names, ascending.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    method: Method
    rows: Annotated[int, Field(ge=1, lt=2**53)]
    scores: Annotated[list[Scores], Field(min_length=1, max_length=MOST_TARGETS)]

    @cached_property
    def ranks(self) -> Numbers:
        """The ranks of the scores, from 1."""
        return kept(self.rows, len(self.scores))

    @property
    def most(self) -> Fraction:
        """The highest level that the rows are enough for."""
        return Fraction(self.rows, self.rows + 1)

    def quantiles(self, level: float) -> list[float]:
        """For each output the score that a new row exceeds with a probability of at most 1 - level: that of the rank
        ⌈(rows + 1) · level⌉, or of the next one that is kept.

        Raises:
            NoIntervals: there are too few rows for this level.
        """
        exact = Fraction(repr(level))  # as it was written: 10 · 0.9 is 9
        if exact > self.most:
            most = math.floor(10_000 * self.most) / 10_000
            message = f"its calibration part has {self.rows} rows, which are enough for a level of {most} at most"
            raise NoIntervals(f"{message}; give a lower interval, or train with more rows in split.calibration")
        place = int(np.searchsorted(self.ranks, math.ceil((self.rows + 1) * exact)))
        return [each[place] for each in self.scores]


def kept(rows: int, outputs: int) -> Numbers:
    """The ranks that are kept of the ascending scores of so many rows: those of the upper half, or that many of them, evenly
    spaced up to the highest, that all outputs have `MOST_SCORES` together. A level is above 0.5, so no other is needed."""
    first, most = rows // 2 + 1, MOST_SCORES // outputs
    count = min(rows - first + 1, most)
    return np.asarray(rows - np.arange(count)[::-1] * (rows - first + 1) // count)


def check_conformal(split: SplitSpec, signature: Signature, rows: Mapping[str, int]) -> None:
    """Checks that a calibration part makes sense.

    Raises:
        InvalidSpec: it does not, for this split or this task, or it has too few rows.
    """
    at = "/split/column" if split.column is not None else "/split/calibration"
    count = rows.get(CALIBRATION)
    if not count:
        return
    if split.time is not None:
        message = "intervals hold where the rows to come are like those of the calibration part in any order"
        raise invalid(at, f"{message}, which a split by time does not assume; leave it out, or split in another way")
    if signature.task is Task.MULTILABEL:
        message = "there are intervals of numbers and sets of one of several classes, and none of several labels"
        raise invalid(at, f"{message}; leave it out")
    if len(signature.outputs) > MOST_TARGETS:
        raise invalid(at, f"{len(signature.outputs)} targets are more than the {MOST_TARGETS} that can have intervals")
    if count < FEWEST:
        raise invalid(at, f"it has {count} rows, and an interval of {LEVEL} needs at least {FEWEST}")


def conformal(signature: Signature, answers: Tensor, targets: Tensor, parts: Split) -> Conformal | None:
    """The scores of the calibration part; None if it has no rows, or an answer to one is no finite number.

    Args:
        answers: of all rows, numbers [n, t] in the target's units or probabilities [n, classes].
        targets: the true values [n, t] of all rows; for classes their positions.
    """
    rows = parts.calibration
    if not len(rows) or signature.task is Task.MULTILABEL:
        return None
    found = np.sort(_scores(signature, _doubles(answers[rows]), targets[rows]), axis=0)
    if not np.isfinite(found).all():
        return None
    ranks = kept(len(rows), found.shape[1])
    method: Method = "least_ambiguous_set" if signature.classifies else "absolute_residual"
    return Conformal(method=method, rows=len(rows), scores=found[ranks - 1].T.tolist())


def with_coverage(
    evaluation: Evaluation,
    of: Conformal | None,
    signature: Signature,
    answers: Tensor,
    targets: Tensor,
    parts: Split,
) -> Evaluation:
    """The evaluation with two more metrics of the test part, at the level 0.9: `coverage`, the share of the rows whose truth is
    in the interval or the set, and `interval_width`, in the target's units, or `set_size`, the mean. Of several targets both are
    means.

    Args:
        answers, targets: as `conformal` takes them.
    """
    if of is None or not len(parts.test) or of.most < Fraction(repr(LEVEL)):
        return evaluation
    ours, truth = _doubles(answers[parts.test]), _doubles(targets[parts.test])
    limits = np.array(of.quantiles(LEVEL))
    if of.method == "absolute_residual":
        low, high = intervals(ours, limits)
        made = {"coverage": np.mean((low <= truth) & (truth <= high)), "interval_width": np.mean(high - low)}
    else:
        within = sets(ours, limits[0], decide_array(signature, ours))
        true = truth[:, 0].astype(np.int64)
        made = {"coverage": within[np.arange(len(true)), true].mean(), "set_size": within.sum(axis=1).mean()}
    added = {name: float(value) if np.isfinite(value) else None for name, value in made.items()}
    return replace(evaluation, metrics=evaluation.metrics | {"test": evaluation.metrics["test"] | added})


def intervals(answers: Numbers, limits: Numbers) -> tuple[Numbers, Numbers]:
    """The ends of the intervals [n, t] of answers [n, t], by the largest residual [t] that they allow for, in float64."""
    values = answers.astype(np.float64)
    return np.asarray(values - limits), np.asarray(values + limits)


def sets(probabilities: Numbers, limit: float, answered: Numbers) -> Numbers:
    """Which classes [n, classes] are in the set of each row: those whose 1 - p is at most the limit, and the one at the position
    that is answered [n], so that no set is empty."""
    within = 1 - probabilities.astype(np.float64) <= limit
    within[np.arange(len(within)), answered] = True
    return np.asarray(within)


def check_scores(of: Conformal | None, signature: Signature) -> None:
    """Checks that recorded scores are those of the signature's outputs.

    Raises:
        ValueError: they are not; the message begins with the JSON pointer.
    """
    if of is None:
        return
    expected = "least_ambiguous_set" if signature.classifies else "absolute_residual"
    if signature.task is Task.MULTILABEL:
        raise ValueError("/conformal: a model of several labels has none")
    if of.method != expected:
        raise ValueError(f"/conformal/method: expected {expected}, for the task is {signature.task}")
    if len(of.scores) != len(signature.outputs):
        raise ValueError(f"/conformal/scores: expected {len(signature.outputs)} lists, one for each output")
    for position, scores in enumerate(of.scores):
        if len(scores) != len(of.ranks) or scores != sorted(scores):
            raise ValueError(f"/conformal/scores/{position}: expected {len(of.ranks)} ascending scores")
        if signature.classifies and scores[-1] > 1:
            raise ValueError(f"/conformal/scores/{position}: expected scores up to 1")


def conformal_of(manifest: Mapping[str, Any]) -> Conformal | None:
    """The scores that a manifest records; None if it has none. Raises ValueError if they are none."""
    found = manifest.get("conformal")
    return None if found is None else Conformal.model_validate(found)


def _scores(signature: Signature, answers: Numbers, targets: Tensor) -> Numbers:
    """The scores [n, t], or [n, 1] of classes."""
    if not signature.classifies:
        return np.asarray(np.abs(answers - _doubles(targets)))
    true = answers[np.arange(len(answers)), targets[:, 0].long().numpy()]
    return np.asarray(np.maximum(1 - true, 0))[:, None]  # a probability of 1 may be rounded up


def _doubles(values: Tensor) -> Numbers:
    return np.asarray(values.double().numpy())
