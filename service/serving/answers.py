"""From a model's answers to what a client reads."""

from typing import Any

import numpy as np
import torch

from service.serving.warm_models import Warm


@torch.inference_mode()
def predictions(warm: Warm, raw: torch.Tensor) -> Any:
    """The predictions for raw features [n, d], one for each row: a number, a list of numbers for several targets, or
    `{label, probabilities}` for a classification. The numbers are a NumPy array, which the edge writes as JSON, with
    null for NaN and infinities; a label whose probabilities are not known is None."""
    answers = warm.model(raw).numpy()
    if warm.signature.classifies:
        return _labelled(warm, answers)
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


def as_text(label: object) -> str:
    """A label as the key of an object: as JSON writes it."""
    return str(label).lower() if isinstance(label, bool) else str(label)
