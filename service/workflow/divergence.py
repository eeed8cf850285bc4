"""Detects a training whose numbers become NaN or infinite."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from service.workflow.errors import TrainingDiverged
from service.workflow.learner import Learner

ADVICE = "a smaller learning rate, or normalized data, may help"
TOO_LARGE = "without overflow"  # in torch's message for a number that is too large for its type


def check_finite(epoch: int, losses: Mapping[str, float]) -> None:
    """Raises TrainingDiverged for a loss that is NaN or infinite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingDiverged(f"{name} became {value} in epoch {epoch}; {ADVICE}")


@contextmanager
def divergence(learner: Learner, epoch: int) -> Iterator[None]:
    """Raises TrainingDiverged in place of an error that comes from NaN or infinite numbers: optimizers and schedulers calculate
    with Python's numbers, which raise where a tensor would become infinite, and a plug-in's layer may refuse NaN."""
    try:
        yield
    except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
        if not all(each.isfinite().all() for each in learner.parameters):
            raise TrainingDiverged(f"a weight became NaN or infinite in epoch {epoch}; {ADVICE}") from error
        if TOO_LARGE in str(error) or (isinstance(error, ArithmeticError) and _of_torch(error)):
            rates = ", ".join(str(group["lr"]) for each in learner.optimizers for group in each.param_groups)
            message = f"the optimizer, or the scheduler, cannot calculate its step in epoch {epoch} ({error})"
            raise TrainingDiverged(f"{message}; the learning rate was {rates}") from error
        raise


def _of_torch(error: Exception) -> bool:
    """Whether it was raised in torch.optim rather than in a plug-in."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith(torch.optim.__name__)
