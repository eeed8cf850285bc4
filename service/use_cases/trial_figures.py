"""What a trial of a sweep has come to: what its sweep compares, and nothing of the test part."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.history import History
from service.workflow.learn import TrainingResult
from service.workflow.spec import ResolvedSpec
from service.workflow.together import Outcome

PARTS = ("train", "validation")


def trial_figures(spec: ResolvedSpec, learned: TrainingResult, history: History) -> dict[str, Any]:
    """For a job's result: the `metrics` of the parts, and the `losses` of the epoch whose weights the model has."""
    stopping = spec.training.early_stopping
    return {
        "metrics": {name: learned.evaluation.metrics[name] for name in PARTS if name in learned.evaluation.metrics},
        "losses": losses_of(history.series(), None if stopping is None else stopping.monitor),
    }


def outcome_figures(outcome: Outcome) -> dict[str, Any]:
    """The same of a trial that was trained with others; or the `error` that its own job would have ended with."""
    if outcome.evaluation is None:
        return {"error": {"code": "training_diverged", "detail": outcome.failure}}
    metrics = outcome.evaluation.metrics
    return {
        "metrics": {name: metrics[name] for name in PARTS if name in metrics},
        "losses": outcome.losses[outcome.kept - 1] if outcome.kept else {},
    }


def losses_of(series: Mapping[str, Sequence[float]], monitor: str | None) -> dict[str, float]:
    """With early stopping those of the best epoch by the loss that is watched, without it those of the last one. Where the
    loss that is watched is not recorded, the validation loss says which epoch is the best.

    Args:
        series: of the epochs, by name.
        monitor: what early stopping watches; None without it.
    """
    names = [name for name in series if name != "epoch"]
    if not names or not series["epoch"]:
        return {}
    place = len(series["epoch"]) - 1
    if monitor is not None:
        watched = next(each for each in (monitor, "validation_loss", "train_loss") if each in names)
        place = min(range(len(series["epoch"])), key=series[watched].__getitem__)
    return {name: series[name][place] for name in names}
