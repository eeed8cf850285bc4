"""What the trials of a sweep are compared by: a loss of the training, or a metric of the validation part. Never a figure of the
test part, which would no longer say anything about the best of them."""

import math
from collections.abc import Mapping
from typing import Any

from service.workflow.errors import invalid
from service.workflow.spec_base import nearest, shown

LOSSES = ("validation_loss", "train_loss")
LOWER_IS_BETTER = frozenset({"mae", "rmse", "log_loss", "ece"})
METRICS = {
    "regression": ("r2", "mae", "rmse"),
    "binary": ("accuracy", "balanced_accuracy", "f1", "auroc", "log_loss", "ece"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1", "auroc", "log_loss", "ece"),
    "multilabel": ("accuracy", "balanced_accuracy", "f1", "auroc", "log_loss"),
}
PART = "validation."


def minimized(objective: str) -> bool:
    """Whether less of it is better."""
    return objective in LOSSES or objective.removeprefix(PART) in LOWER_IS_BETTER


def check(objective: str, task: str, validation_rows: int) -> None:
    """Checks that a training of this task has such a figure.

    Raises:
        InvalidSpec: it has none, or it is one of the test part.
    """
    if objective.startswith("test"):
        raise invalid(
            "/objective", "a figure of the test part is never searched by: it would not be one of unseen rows any more"
        )
    known = [*LOSSES, *(PART + name for name in METRICS[task])]
    if objective not in known:
        raise invalid("/objective", f"unknown objective {shown(objective)} for {task}; {nearest(objective, known)}")
    if objective != "train_loss" and not validation_rows:
        raise invalid("/objective", "there are no validation rows: give some with split.validation, or take train_loss")


def loss_of(objective: str, result: Mapping[str, Any]) -> float | None:
    """What a trial has come to by its result, turned so that less is better; None if it is not defined.

    Args:
        result: `losses` by name, and `metrics` of each part.
    """
    value = figure_of(objective, result)
    return value if value is None or minimized(objective) else -value


def figure_of(objective: str, result: Mapping[str, Any]) -> float | None:
    """The objective itself, as `loss_of` takes it."""
    found = result.get("losses", {}) if objective in LOSSES else result.get("metrics", {}).get("validation", {})
    value = found.get(objective.removeprefix(PART))
    return value if isinstance(value, int | float) and math.isfinite(value) else None
