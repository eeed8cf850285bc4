"""A model's answers to rows, computed under `torch.inference_mode`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from service.serving.errors import DeadlineExceeded
from service.serving.functional import Step
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors, rows_in, take

MANY = 64  # rows from which on they are checked for missing values
Array = np.ndarray[Any, Any]


def forward(warm: Warm, raw: Tensors, *, complete: bool = False, wanted: Callable[[], bool] = lambda: True) -> Array:
    """Computes the model's answers [n, outputs] to raw features of n rows.

    Many rows are computed in several forwards of `Warm.rows_at_once` rows, which limits the memory and the time of each.

    Args:
        warm: the model.
        raw: NaN for a missing value.
        complete: whether it is known that no value is missing.
        wanted: whether the answer is still needed; called between two forwards.

    Raises:
        DeadlineExceeded: the answer is no longer needed.
    """
    with torch.inference_mode():  # as a decorator it would take twice as long
        if not complete and isinstance(raw, torch.Tensor) and len(raw) >= MANY:
            complete = not math.isnan(raw.sum().item())  # cheaper than imputation
        step = warm.forward_of_complete if complete else warm.forward
        if rows_in(raw) > warm.rows_at_once:
            return _in_parts(step, raw, warm.rows_at_once, wanted)
        answers: Array = step(raw).numpy()
    return answers


def _in_parts(step: Step, raw: Tensors, rows: int, wanted: Callable[[], bool]) -> Array:
    first = step(take(raw, slice(rows)))
    answers = torch.empty((rows_in(raw), *first.shape[1:]), dtype=first.dtype)
    answers[:rows] = first
    for start in range(rows, rows_in(raw), rows):
        if not wanted():
            raise DeadlineExceeded
        answers[start : start + rows] = step(take(raw, slice(start, start + rows)))
    made: Array = answers.numpy()
    return made
