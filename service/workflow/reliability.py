"""How often the predicted class is right where it is of some probability."""

import math

import torch
from torch import Tensor

from service.workflow.look.points import Reliability, ReliabilityBins
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.split import Split

BINS = 15  # of equal width, as in Guo et al., "On calibration of modern neural networks", ICML 2017


def calibration_error(probabilities: Tensor, truth: Tensor) -> float:
    """The expected calibration error of probabilities [n, classes], for the positions of the true classes, int64 [n]; NaN where
    one is not finite."""
    return _bins(probabilities, truth).error if probabilities.isfinite().all() else math.nan


def reliability(signature: Signature, answers: Tensor, targets: Tensor, parts: Split) -> Reliability | None:
    """That of the last part with rows; None if the model does not answer one class out of several, or not with finite numbers.

    Args:
        answers: probabilities [n, classes] of all rows.
        targets: the positions of the true classes [n, 1].
    """
    part = next(name for name in reversed(PARTS) if len(parts.part(name)))
    rows = parts.part(part)
    if not signature.classifies or not answers[rows].isfinite().all():
        return None
    return Reliability(part=part, bins=_bins(answers[rows], targets[rows, 0].long()))


def _bins(probabilities: Tensor, truth: Tensor) -> ReliabilityBins:
    """The rows in `BINS` bins from 0 to 1, which hold their upper edge."""
    confidence, predicted = probabilities.to(torch.float64).max(dim=1)
    confidence = confidence.clamp(0, 1)  # float32 rounds beyond it
    bins = (confidence * BINS).ceil().long().sub(1).clamp_min(0)
    rows = torch.bincount(bins, minlength=BINS)
    sums = torch.bincount(bins, weights=confidence, minlength=BINS)
    right = torch.bincount(bins[predicted == truth], minlength=BINS)
    means = (sums / rows.clamp_min(1)).clamp_max(1)
    return ReliabilityBins(rows=rows.tolist(), confidence=means.tolist(), right=right.tolist())
