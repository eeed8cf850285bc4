"""Computes the ROC and precision-recall curves of a classification, from all rows of a part."""

import torch
from torch import Tensor

from service.workflow.look.points import MOST_CURVES, MOST_THRESHOLDS, ThresholdCurve, ThresholdCurves
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.tasks import Task


def threshold_curves(signature: Signature, answers: Tensor, targets: Tensor, parts: Split) -> ThresholdCurves | None:
    """A curve for each class against the others, or for each label, in the last part with rows; None for a regression.

    Args:
        answers: probabilities [n, classes] or [n, labels] of all rows.
        targets: the positions of the true classes [n, 1], or labels [n, labels].
    """
    if signature.task is Task.REGRESSION:
        return None
    part = next(name for name in reversed(PARTS) if len(parts.part(name)))
    rows = parts.part(part)
    scores, truth = answers[rows], targets[rows]
    counts = torch.bincount(truth[:, 0].long(), minlength=scores.shape[1]) if signature.classifies else truth.sum(dim=0)
    largest = sorted(range(scores.shape[1]), key=lambda position: -counts[position].item())[:MOST_CURVES]
    curves = []
    for position in sorted(largest):
        positive = truth[:, 0] == position if signature.classifies else truth[:, position] > 0
        if positive.any() and not positive.all() and scores[:, position].isfinite().all():
            curves.append(_curve(position, scores[:, position], positive))
    return ThresholdCurves(part=part, curves=curves)


def _curve(position: int, scores: Tensor, positive: Tensor) -> ThresholdCurve:
    """The curve of scores [n] for the rows that are positive, bool [n].

    The areas are those of scikit-learn's `roc_auc_score` (trapezoids) and `average_precision_score` (steps).
    """
    scores, order = scores.to(torch.float64).sort(descending=True)
    last = torch.cat([scores[1:] != scores[:-1], torch.ones(1, dtype=torch.bool)]).nonzero()[:, 0]  # of equal scores
    found = positive[order].long().cumsum(0)[last]
    start = torch.zeros(1, dtype=torch.long)
    true, false = torch.cat([start, found]), torch.cat([start, last + 1 - found])
    recall, fall_out = (each.to(torch.float64) / each[-1] for each in (true, false))
    precision = true.to(torch.float64) / (true + false).clamp_min(1)
    precision[0] = precision[1]
    kept = _thinned(recall, fall_out, precision)
    return ThresholdCurve(
        position=position,
        true_positives=true[kept].tolist(),
        false_positives=false[kept].tolist(),
        roc_area=min(torch.trapezoid(recall, fall_out).item(), 1.0),
        average_precision=min((recall.diff() * precision[1:]).sum().item(), 1.0),
    )


def _thinned(recall: Tensor, fall_out: Tensor, precision: Tensor) -> Tensor:
    """The positions of at most `MOST_THRESHOLDS` points: the first, the last, and some evenly spaced along each curve."""
    if len(recall) <= MOST_THRESHOLDS:
        return torch.arange(len(recall))
    each = MOST_THRESHOLDS // 2 - 1
    kept = [torch.tensor([0, len(recall) - 1])]
    for other in (fall_out, precision):
        length = torch.cat([torch.zeros(1), recall.diff().abs() + other.diff().abs()]).to(torch.float64).cumsum(0)
        spaced = torch.linspace(0, length[-1].item(), each, dtype=torch.float64)
        kept.append(torch.searchsorted(length, spaced).clamp_max(len(recall) - 1))
    positions: Tensor = torch.cat(kept).unique()
    return positions
