"""How much a training does for a better model, in one word: what it changes of the defaults. What a spec says itself goes before
it.

| effort | |
|---|---|
| low | a third of the default epochs, rounded up; early stopping after 7 epochs without a lower loss |
| normal | the defaults |
| max | five folds, whose networks answer together |
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from service.workflow.errors import Fault, InvalidSpec
from service.workflow.split import SplitSpec
from service.workflow.training import ResolvedSettings, TrainingSettings

Effort = Literal["low", "normal", "max"]

SHARE = 3  # of the default epochs and the default patience: one in so many
HOLDOUT = ("kind", "train", "validation", "column")  # fields that say themselves how rows are divided


def split_of(effort: Effort, given: SplitSpec | None) -> SplitSpec | None:
    """The split of a spec, before its defaults are filled in."""
    if not _in_folds(effort, given):
        return given
    own = {} if given is None else {name: getattr(given, name) for name in given.model_fields_set}
    return SplitSpec.model_validate({"kind": "k_fold", **own})


@contextmanager
def faults_of(effort: Effort, given: SplitSpec | None) -> Iterator[None]:
    """Says of faults of the folds whose wish they are."""
    try:
        yield
    except InvalidSpec as error:
        if not _in_folds(effort, given) or (given is not None and "folds" in given.model_fields_set):
            raise
        raise InvalidSpec(*map(_by_effort, error.faults)) from None


def settings_of(effort: Effort, given: TrainingSettings, settings: ResolvedSettings) -> ResolvedSettings:
    """The settings of a training whose other defaults are filled in; `given` are those of the spec."""
    if effort != "low":
        return settings
    own, short = given.early_stopping, shortened(settings)
    patient = own is not None and "patience" in own.model_fields_set
    kept = {"epochs": settings.epochs} if given.epochs is not None else {}
    return short.model_copy(update=kept | ({"early_stopping": settings.early_stopping} if patient else {}))


def shortened(settings: ResolvedSettings) -> ResolvedSettings:
    """The settings of a training with a share of the epochs and of the patience."""
    stopping = settings.early_stopping
    if stopping is not None:
        stopping = stopping.model_copy(update={"patience": -(-stopping.patience // SHARE)})
    return settings.model_copy(update={"epochs": -(-settings.epochs // SHARE), "early_stopping": stopping})


def _in_folds(effort: Effort, given: SplitSpec | None) -> bool:
    return effort == "max" and (given is None or not given.model_fields_set & {*HOLDOUT})


def _by_effort(fault: Fault) -> Fault:
    if fault.pointer != "/split/folds":
        return fault
    return Fault("/effort", f"max trains in folds: {fault.message}; or give another effort, or split.kind holdout")
