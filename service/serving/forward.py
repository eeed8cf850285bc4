"""A model's answers to rows, computed under `torch.inference_mode`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from service.serving.errors import DeadlineExceeded
from service.serving.functional import Step
from service.serving.warm_models import Warm

MANY = 64  # rows
Array = np.ndarray[Any, Any]


def _always() -> bool:
    return True


def forward(warm: Warm, raw: torch.Tensor, *, complete: bool = False, wanted: Callable[[], bool] = _always) -> Array:
    """Computes the model's answers [n, outputs] to raw features [n, slots].

    Many rows are computed in several forwards, so that none takes more memory or time than `Warm.rows_at_once` allows.

    Args:
        complete: whether it is known that no value is missing.
        wanted: whether a client still waits; called between two forwards.

    Raises:
        DeadlineExceeded: no client waits any more.
    """
    with torch.inference_mode():  # as a decorator it would take twice as long
        if not complete and len(raw) >= MANY:
            complete = not math.isnan(raw.sum().item())  # costs less than filling in what is not missing
        step = warm.forward_of_complete if complete else warm.forward
        if len(raw) > warm.rows_at_once:
            return _in_parts(step, raw, warm.rows_at_once, wanted)
        answers: Array = step(raw).numpy()
    return answers


def _in_parts(step: Step, raw: torch.Tensor, rows: int, wanted: Callable[[], bool]) -> Array:
    first = step(raw[:rows])
    answers = torch.empty((len(raw), *first.shape[1:]), dtype=first.dtype)
    answers[:rows] = first
    for start in range(rows, len(raw), rows):
        if not wanted():
            raise DeadlineExceeded
        answers[start : start + rows] = step(raw[start : start + rows])
    made: Array = answers.numpy()
    return made
