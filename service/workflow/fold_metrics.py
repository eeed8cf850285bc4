"""The metrics of each fold, and how far they are apart."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from service.workflow.evaluation import metrics_of
from service.workflow.fold_report import FoldOfRows, Folds, Spread
from service.workflow.fold_training import TrainedNetwork
from service.workflow.signature import Signature
from service.workflow.split import Split


def report_folds(
    signature: Signature, networks: Sequence[TrainedNetwork], answers: Tensor, targets: Tensor, parts: Split
) -> Folds:
    """The record of the folds.

    Args:
        answers: for the rows of each fold those of its network.
        targets: as `evaluate` takes them.
    """
    made = [
        FoldOfRows(
            train_rows=len(fold.train),
            validation_rows=len(fold.validation),
            epochs=trained.epochs,
            best_epoch=trained.best_epoch,
            metrics=metrics_of(signature, answers[fold.validation], targets[fold.validation]),
        )
        for fold, trained in zip(parts.folds, networks, strict=True)
    ]
    return Folds(folds=made, metrics=_spreads([each.metrics for each in made]))


def _spreads(metrics: Sequence[Mapping[str, float | None]]) -> dict[str, Spread | None]:
    return {name: _spread([each[name] for each in metrics]) for name in metrics[0]}


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [each for each in values if each is not None]
    if len(known) < len(values):
        return None
    mean = math.fsum(each / len(known) for each in known)  # a sum may overflow
    unit = max(abs(each - mean) for each in known) or 1.0
    std = math.sqrt(math.fsum(((each - mean) / unit) ** 2 for each in known) / len(known)) * unit
    return Spread(mean=mean, std=std) if math.isfinite(std) else None
