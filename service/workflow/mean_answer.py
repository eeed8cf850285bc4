"""The loss of an ensemble's answer, which early stopping watches: an answer is the mean of the members' answers, and its loss
may still fall when the mean of their losses rises."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from service.workflow.losses import OutputKind


class OfMeanAnswer(nn.Module):
    """A loss on the members' outputs [members · n, …], member after member, and the targets [n, …]: the loss of the one output
    that means the mean of their answers. In place of a squared loss it is Huber's with delta 1, which a few rows that are far
    off do not rule."""

    def __init__(self, loss: nn.Module, output: OutputKind, members: int) -> None:
        super().__init__()
        self.loss = nn.HuberLoss(reduction=loss.reduction) if type(loss) is nn.MSELoss else loss
        self.members = members
        self._joined = JOINED[output]

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        joined = self._joined(output.unflatten(0, (self.members, -1)))
        value: Tensor = self.loss(joined, target)
        return value


def _log_mean_exp(values: Tensor) -> Tensor:
    return values.logsumexp(dim=0) - math.log(len(values))


def _of_logits(values: Tensor) -> Tensor:
    """log(p / (1 - p)) of the mean probability, exact where a probability is nearly 0 or 1."""
    return _log_mean_exp(nn.functional.logsigmoid(values)) - _log_mean_exp(nn.functional.logsigmoid(-values))


def _of_scores(values: Tensor) -> Tensor:
    return _log_mean_exp(values.log_softmax(dim=-1))


def _of_means_and_variances(values: Tensor) -> Tensor:
    """The mean and the variance of the members' mixture: the mean variance, and the variance of the means."""
    means, spreads = values.chunk(2, dim=-1)
    variance = nn.functional.softplus(spreads).mean(dim=0) + means.var(dim=0, correction=0)
    return torch.cat([means.mean(dim=0), variance + torch.log(-torch.expm1(-variance))], dim=-1)


def _mean(values: Tensor) -> Tensor:
    return values.mean(dim=0)


# From the members' outputs [members, n, k] to the output [n, k] whose answer is the mean of their answers.
JOINED: dict[OutputKind, Callable[[Tensor], Tensor]] = {
    OutputKind.VALUE: _mean,
    OutputKind.VALUE_AND_VARIANCE: _of_means_and_variances,
    OutputKind.RATE: _mean,
    OutputKind.LOG_RATE: _log_mean_exp,
    OutputKind.PROBABILITY: _mean,
    OutputKind.LOGIT: _of_logits,
    OutputKind.LOG_PROBABILITIES: _log_mean_exp,
    OutputKind.SCORES: _of_scores,
}
