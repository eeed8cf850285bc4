"""Chooses the probability from which on the second of two classes is the answer, on the validation part."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from service.workflow.data.table import Numbers
from service.workflow.data.types.names import Scalar
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.threshold_spec import ThresholdSpec

PLAIN = 0.5  # the threshold by which the most probable class is the answer


class Threshold(BaseModel):
    """The positive class is the answer where its probability is above `threshold`. `measure` is that of `rows` rows of the
    validation part, `before` with the threshold 0.5: a metric, or the mean cost of a row."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    positive: Scalar
    threshold: Annotated[float, Field(ge=0, le=1)]
    measure: Literal["f1", "balanced_accuracy", "accuracy", "cost"]
    rows: Annotated[int, Field(ge=1, lt=2**53)]
    before: Annotated[float, Field(ge=0)]
    after: Annotated[float, Field(ge=0)]


def choose_threshold(
    spec: ThresholdSpec | None, signature: Signature, answers: Tensor, targets: Tensor, parts: Split
) -> Threshold | None:
    """The threshold with the best measure; among equal ones the nearest to 0.5. None without a spec, where the validation part
    lacks one of the classes, or where an answer to it is no finite number.

    Args:
        answers: probabilities [n, 2] of all rows.
        targets: the positions of the true classes [n, 1] of all rows.
    """
    rows = parts.validation
    if spec is None or not len(rows):
        return None
    chances, positive = answers[rows, 1].numpy().astype(np.float32), targets[rows, 0].numpy() == 1
    if not np.isfinite(chances).all() or positive.all() or not positive.any():
        return None
    thresholds = _candidates(chances)
    values = _measured(spec, thresholds, chances, positive)
    goal = values.min() if spec.cost is not None else values.max()
    best = np.flatnonzero(np.isclose(values, goal, rtol=1e-12, atol=0))
    at = best[np.abs(thresholds[best] - PLAIN).argmin()]
    return Threshold(
        positive=signature.classes[1],
        threshold=float(thresholds[at]),
        measure=spec.metric or "cost",
        rows=len(rows),
        before=float(values[np.flatnonzero(thresholds == PLAIN)[0]]),
        after=float(values[at]),
    )


def decided_by(signature: Signature, threshold: Threshold | None) -> Signature:
    """The signature whose answers are decided by this threshold; None for the most probable class."""
    if not signature.classifies:
        return signature
    value = None if threshold is None or threshold.threshold == PLAIN else threshold.threshold
    return signature.model_copy(update={"outputs": [signature.outputs[0].model_copy(update={"threshold": value})]})


def check_recorded(threshold: Threshold | None, signature: Signature) -> None:
    """Checks that the signature decides by the recorded threshold.

    Raises:
        ValueError: it does not; the message begins with the JSON pointer.
    """
    for position, output in enumerate(signature.outputs):
        if output.threshold is not None and (output.type != "class" or len(output.classes or []) != 2):
            raise ValueError(f"/signature/outputs/{position}/threshold: only one of two classes has a threshold")
    if threshold is not None and (len(signature.classes) != 2 or threshold.positive != signature.classes[1]):
        raise ValueError("/threshold/positive: expected the second of two classes")
    recorded = None if threshold is None or threshold.threshold == PLAIN else threshold.threshold
    if signature.threshold != recorded:
        raise ValueError(f"/threshold/threshold: expected {signature.threshold}, as the signature has it")


def _candidates(chances: Numbers) -> Numbers:
    """0.5, a threshold between each two different probabilities and below the lowest, and 1, above which none is: float32 [t],
    ascending."""
    distinct = np.unique(np.concatenate([[np.float32(0)], chances, [np.float32(1)]])).astype(np.float32)
    between = ((distinct[:-1].astype(np.float64) + distinct[1:]) / 2).astype(np.float32)
    between = np.minimum(between, np.nextafter(distinct[1:], np.float32(0)))  # where it was rounded up
    return np.asarray(np.unique(np.concatenate([between, [np.float32(PLAIN), np.float32(1)]])))


def _measured(spec: ThresholdSpec, thresholds: Numbers, chances: Numbers, positive: Numbers) -> Numbers:
    """The measure with each threshold [t], in float64."""
    hits, others = np.sort(chances[positive]), np.sort(chances[~positive])
    true = len(hits) - np.searchsorted(hits, thresholds, side="right")  # those above it
    false = len(others) - np.searchsorted(others, thresholds, side="right")
    missed, rejected = len(hits) - true, len(others) - false
    if spec.cost is not None:
        costs = false * float(spec.cost.false_positive) + missed * float(spec.cost.false_negative)
        return np.asarray(costs / len(chances))
    match spec.metric:
        case "accuracy":
            return np.asarray((true + rejected) / len(chances))
        case "balanced_accuracy":
            return np.asarray((true / len(hits) + rejected / len(others)) / 2)
        case _:
            first, second = 2 * true + false + missed, 2 * rejected + false + missed
            return np.asarray((2 * true / np.maximum(first, 1) + 2 * rejected / np.maximum(second, 1)) / 2)
