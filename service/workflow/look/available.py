"""Which charts a model has; for processes that do not load the library that draws them."""

from collections.abc import Collection

from service.workflow.look.points import Points
from service.workflow.signature import Signature
from service.workflow.tasks import Task

PLOTS = (
    "data",
    "predictions",
    "residuals",
    "learning_curve",
    "importance",
    "partial_dependence",
    "parameters",
    "filters",
    "confusion",
    "roc",
    "precision_recall",
    "calibration",
)


def available(signature: Signature, points: Points, *, confused: bool, important: bool) -> list[str]:
    """The names of the charts that can be drawn of a model, in the order of `PLOTS`; `confused` if it has a confusion matrix,
    `important` if the importance of its inputs is recorded."""
    missing = set()
    if signature.task is not Task.REGRESSION:
        missing.add("residuals")
    if not points.parameters:
        missing.add("parameters")
    if not points.filters:
        missing.add("filters")
    if not important:
        missing.add("importance")
    if points.dependence is None:
        missing.add("partial_dependence")
    if not confused:
        missing.add("confusion")
    if points.curves is None or not points.curves.curves:
        missing |= {"roc", "precision_recall"}
    if points.reliability is None:
        missing.add("calibration")
    return without(missing)


def without(missing: Collection[str]) -> list[str]:
    """The names of the other charts."""
    return [name for name in PLOTS if name not in missing]
