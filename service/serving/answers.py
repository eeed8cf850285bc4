"""From a model's answers to what a client reads."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import torch

from service.serving.errors import DeadlineExceeded
from service.serving.functional import Step
from service.serving.warm_models import Served, Warm
from service.workflow.data.types.category import as_text
from service.workflow.tasks import Task

MANY = 64  # rows
HOLDS = 0.5  # the probability above which a label holds
NUMPY = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
Array = np.ndarray[Any, Any]


def _always() -> bool:
    return True


def forward(warm: Warm, raw: torch.Tensor, *, whole: bool = False, wanted: Callable[[], bool] = _always) -> Array:
    """The model's answers [n, outputs] to raw features [n, slots]; `whole` if it is known that no value is missing.

    Of many rows only so many are in one forward as make no more than is taken (`Warm.rows_at_once`); between two of these
    `wanted` says whether anybody still waits.

    Raises:
        DeadlineExceeded: nobody does.
    """
    with torch.inference_mode():  # as a decorator it would take twice as long
        if not whole and len(raw) >= MANY:
            whole = not math.isnan(raw.sum().item())  # a look that costs less than filling nothing in
        step = warm.forward_of_whole if whole else warm.forward
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


def predictions(warm: Warm, raw: torch.Tensor) -> Any:
    """The predictions for raw features [n, slots], as `told` has them."""
    return told(warm, forward(warm, raw))


def told(warm: Warm, answers: Array) -> Any:
    """The predictions, one for each row: a number, a list of numbers for several targets, `{label, probabilities}` for a
    classification, `{labels, probabilities}` for several labels. The numbers are a NumPy array, which is written as JSON
    with null for NaN and infinities; a label whose probabilities are not known is None."""
    if warm.signature.classifies:
        return _labelled(warm, answers)
    if warm.signature.task is Task.MULTILABEL:
        return _marked(warm, answers)
    return np.ascontiguousarray(answers[:, 0] if answers.shape[1] == 1 else answers)


def json_bodies(served: Served, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
    """The answers of a batch as JSON, one document for each of its requests, which have so many rows each."""
    opening = served.opening
    if len(counts) > 1 and warm.one_number:
        # Written once and cut apart: a call to the encoder for each request costs more than all their numbers.
        texts = orjson.dumps(told(warm, answers), option=NUMPY)[1:-1].split(b",")
        if len(texts) == len(counts):
            return [b"%b[%b]}" % (opening, text) for text in texts]
        rows = iter(texts)
        return [b"%b[%b]}" % (opening, b",".join(next(rows) for _ in range(count))) for count in counts]
    bodies, start = [], 0
    for count in counts:
        bodies.append(b"%b%b}" % (opening, _as_json(warm, answers[start : start + count])))
        start += count
    return bodies


def _as_json(warm: Warm, answers: Array) -> bytes:
    if len(answers) <= warm.rows_written:
        return orjson.dumps(told(warm, answers), option=NUMPY)
    return b"[%b]" % b",".join(orjson.dumps(told(warm, part), option=NUMPY)[1:-1] for part in in_parts(warm, answers))


def in_parts(warm: Warm, answers: Array) -> Iterator[Array]:
    """Answers to many rows, as many at a time as are written at a time."""
    for start in range(0, len(answers), warm.rows_written):
        yield answers[start : start + warm.rows_written]


def _labelled(warm: Warm, answers: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    classes = warm.signature.classes
    texts = [as_text(label) for label in classes]
    best, known = answers.argmax(axis=1).tolist(), np.isfinite(answers).all(axis=1).tolist()
    return [
        {
            "label": classes[position] if sure else None,
            "probabilities": dict(zip(texts, row if sure else [None] * len(row), strict=True)),
        }
        for position, sure, row in zip(best, known, answers.tolist(), strict=True)
    ]


def _marked(warm: Warm, answers: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    names = [each.name for each in warm.signature.outputs]
    return [
        {
            "labels": [name for name, probability in zip(names, row, strict=True) if probability > HOLDS],
            "probabilities": {
                name: probability if np.isfinite(probability) else None
                for name, probability in zip(names, row, strict=True)
            },
        }
        for row in answers.tolist()
    ]
