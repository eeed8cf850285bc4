"""The points that every chart of a model is drawn from: at most 2,000 rows, sampled when it was made, so that its
charts outlive the data."""

from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from service.workflow.data.schema import Scalar
from service.workflow.signature import Signature
from service.workflow.split import PARTS, Split

MOST_POINTS = 2000


class Points(BaseModel):
    """Sampled rows: the features in the order of the signature, the part each row was in, truth and prediction of the
    first target, and for a classification the probability of the class that was predicted."""

    model_config = ConfigDict(frozen=True)

    features: list[list[float | None]]
    part: list[str]
    truth: list[Scalar]
    prediction: list[Scalar | None]
    probability: list[float | None] | None = None


def sample(
    signature: Signature, features: torch.Tensor, targets: torch.Tensor, answers: torch.Tensor, parts: Split
) -> Points:
    """Evenly spaced rows of each part, in the parts' own proportions."""
    rows = torch.cat([_spaced(parts.part(name), len(features)) for name in PARTS])
    part = [name for name in PARTS for _ in _spaced(parts.part(name), len(features))]
    truth, chosen = targets[rows, 0], answers[rows]
    drawn: dict[str, Any] = {"features": _numbers(features[rows]), "part": part}
    if signature.classifies:
        classes = signature.classes
        return Points(
            **drawn,
            truth=[classes[int(position)] for position in truth],
            prediction=[classes[int(position)] for position in chosen.argmax(dim=1)],
            probability=_numbers(chosen.amax(dim=1)),
        )
    return Points(**drawn, truth=truth.tolist(), prediction=_numbers(chosen[:, 0]))


def _spaced(rows: torch.Tensor, total: int) -> torch.Tensor:
    if total <= MOST_POINTS:
        return rows
    share = max(1, MOST_POINTS * len(rows) // total) if len(rows) else 0
    return rows[torch.linspace(0, len(rows) - 1, share).round().long()]


def _numbers(values: torch.Tensor) -> Any:
    """As nested lists, None for what JSON cannot hold."""
    if values.ndim > 1:
        return [_numbers(row) for row in values]
    return [
        value if finite else None for value, finite in zip(values.tolist(), values.isfinite().tolist(), strict=True)
    ]
