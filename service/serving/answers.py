"""From a model's answers to what a client reads."""

from typing import Any

import numpy as np
import torch

from service.serving.warm_models import Warm
from service.workflow.data.values import as_text
from service.workflow.tasks import Task

HOLDS = 0.5  # the probability above which a label holds


@torch.inference_mode()
def predictions(warm: Warm, raw: torch.Tensor) -> Any:
    """The predictions for raw features [n, slots], as `told` has them."""
    return told(warm, warm.model(raw).numpy())


def told(warm: Warm, answers: np.ndarray[Any, Any]) -> Any:
    """The predictions for a model's answers [n, outputs], one for each row: a number, a list of numbers for several targets,
    `{label, probabilities}` for a classification, `{labels, probabilities}` for several labels. The numbers are a NumPy
    array, which the edge writes as JSON, with null for NaN and infinities; a label whose probabilities are not known is
    None."""
    if warm.signature.classifies:
        return _labelled(warm, answers)
    if warm.signature.task is Task.MULTILABEL:
        return _marked(warm, answers)
    return np.ascontiguousarray(answers[:, 0] if answers.shape[1] == 1 else answers)


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
