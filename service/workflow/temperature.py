"""Temperature scaling (Guo, Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017): one number by
which the logits of all classes are divided, so that their order stays."""

import math

import torch
from torch import Tensor, nn

LEAST, MOST = 0.25, 32.0  # of a temperature: nothing calibrated is further from 1
STEPS = 60  # of a search that halves its interval at worst: more than a float64 can tell apart
CLOSE = 1e-10  # between two steps, of the inverse temperature
ROWS = 16_384  # in float64 at once


class Temperature(nn.Module):
    """From logits [n, classes] to probabilities. Buffer: `temperature`, one float32 above 0."""

    temperature: Tensor

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.tensor(temperature, dtype=torch.float32))

    def forward(self, logits: Tensor) -> Tensor:
        """The probabilities [n, classes]."""
        return torch.softmax(logits / self.temperature, dim=1)


def fit(logits: Tensor, truth: Tensor) -> float:
    """The temperature that minimizes the log loss.

    Each true class counts as n + 1 of n + 2 and the rest is divided among all classes, as Platt smooths his targets
    ("Probabilistic outputs for support vector machines", 1999): where every row is right, the log loss alone would be lowest
    with certainty. The loss is convex in the inverse temperature, whose derivative a safeguarded Newton search brings to 0.

    Args:
        logits: finite numbers [n, classes].
        truth: the position of each true class, int64 [n].
    """
    low, high = 1 / MOST, 1 / LEAST
    inverse = 1.0
    for _ in range(STEPS):
        slope, curvature = _derivatives(logits, truth, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        wanted = inverse - slope / curvature if curvature > 0 else math.nan
        following = wanted if low < wanted < high else (low + high) / 2
        if abs(following - inverse) < CLOSE:
            break
        inverse = following
    return 1 / inverse


def log_loss(logits: Tensor, truth: Tensor, temperature: float) -> float:
    """The mean of -log p of the true classes, in float64."""
    total = 0.0
    for given, wanted in zip(logits.split(ROWS), truth.split(ROWS), strict=True):
        scaled = (given.to(torch.float64) / temperature).log_softmax(dim=1)
        total -= scaled.gather(1, wanted[:, None]).sum().item()
    return total / len(truth)


def _derivatives(logits: Tensor, truth: Tensor, inverse: float) -> tuple[float, float]:
    """The first and second derivative of the smoothed log loss by the inverse temperature."""
    slope = curvature = 0.0
    rest = 1 / (len(truth) + 2)
    for given, wanted in zip(logits.split(ROWS), truth.split(ROWS), strict=True):
        values = given.to(torch.float64)
        probabilities = (values * inverse).softmax(dim=1)
        mean = (probabilities * values).sum(dim=1)
        true = (1 - rest) * values.gather(1, wanted[:, None])[:, 0] + rest * values.mean(dim=1)
        slope += (mean - true).sum().item()
        curvature += (probabilities * (values - mean[:, None]).square()).sum().item()
    return slope / len(truth), curvature / len(truth)
