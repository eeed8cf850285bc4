"""Trains a network for each fold, one after another, and what answers in the end: their bag, or one network of all rows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from service.workflow.batches import MOST_SEED
from service.workflow.data.types.feature import Feature
from service.workflow.errors import CheckpointUnfit, InvalidData
from service.workflow.examples import encode_parts
from service.workflow.input_tensors import Tensors, take
from service.workflow.learner import build_learner
from service.workflow.model import Model, create_model, with_network
from service.workflow.models.bag import BagOfNetworks
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import shown
from service.workflow.split import Split
from service.workflow.state import State
from service.workflow.training_loop import AfterStep, Report, train

Predict = Callable[[Model, Tensors], Tensor]


@dataclass(frozen=True)
class TrainedNetwork:
    """The network of a fold, how many epochs it was trained, and the epoch whose weights it has."""

    model: Model
    epochs: int
    best_epoch: int


@dataclass(frozen=True)
class TrainedFolds:
    """What answers in the end, and the networks of the folds."""

    model: Model
    networks: list[TrainedNetwork]

    def out_of_fold(self, answers: Tensor, features: Tensors, parts: Split, predict: Predict) -> Tensor:
        """The answers for all rows [n, k], where those of each fold are of the network that has not learned from it."""
        made = answers.clone()
        for fold, trained in zip(parts.folds, self.networks, strict=True):
            made[fold.validation] = predict(trained.model.eval(), take(features, fold.validation))
        return made


@dataclass(frozen=True)
class FoldTraining:
    """Trains networks with one spec, one preprocessing, and seeds that follow each other.

    Args:
        prepared: a model with the preprocessing, which is fitted on all rows but the test part.
        features, targets: raw, of all rows.
        augmented, rows_at_once: as `encode_parts` takes them.
        report: called with the number of each epoch, counted on from network to network, and its losses; the validation loss is
            NaN where nothing validates.
        after_step: as `train` takes it.
    """

    spec: ResolvedSpec
    signature: Signature
    prepared: Model
    features: Tensors
    targets: Tensor
    parts: Split
    device: torch.device
    augmented: Mapping[str, Feature]
    rows_at_once: int
    report: Report
    after_step: AfterStep | None

    def run(self, saved: State | None) -> TrainedFolds:
        """Trains all of them; from a saved state to the same bits.

        Raises:
            TrainingDiverged, CheckpointUnfit: as `train` does.
        """
        done, current = _opened(saved)
        made: list[TrainedNetwork] = []
        for number, fold in enumerate(self.parts.folds):
            own = Split(fold.train, fold.validation, self.parts.test[:0])
            made.append(self._trained(own, self._own(number), made, done, current))
        if self.spec.split.final == "bag":
            return TrainedFolds(with_network(self.prepared, BagOfNetworks([each.model.network for each in made])), made)
        rows = self.parts.train
        refit = self._trained(Split(rows, rows[:0], rows[:0]), self._of_refit(made), made, done, current)
        return TrainedFolds(refit.model, made)

    def _trained(
        self, parts: Split, spec: ResolvedSpec, before: list[TrainedNetwork], done: list[State], current: State | None
    ) -> TrainedNetwork:
        """The next network: opened if it is one of those that are done, else trained, from the current state if that is its."""
        model = create_model(spec, self.signature, self.features, self.targets, parts.train, None, self.prepared)
        if len(before) < len(done):
            return _reopened(model, done[len(before)])
        features, targets, options = self.features, self.targets, self.augmented
        examples = encode_parts(
            spec.loss, self.signature, model, features, targets, parts, self.device, options, self.rows_at_once
        )
        learner = build_learner(spec, self.signature, model, self.device)
        epochs = first = sum(each.epochs for each in before)

        def report(epoch: int, losses: dict[str, float]) -> None:
            nonlocal epochs
            epochs = first + epoch
            self.report(
                epochs, {"train_loss": losses["train_loss"], "validation_loss": losses.get("validation_loss", math.nan)}
            )

        def after_step(make: Callable[[], State]) -> None:
            assert self.after_step is not None  # noqa: S101 - see below
            self.after_step(lambda: {"done": [_state(each) for each in before], "run": make()})

        saves = None if self.after_step is None else after_step
        best = train(learner, examples, report, saves, current if len(before) == len(done) else None)
        model.network.to("cpu")
        return TrainedNetwork(model, epochs - first, best)

    def _own(self, number: int, **settings: Any) -> ResolvedSpec:
        """The spec of the network with this number: its seed, and its share of what bounds the whole training."""
        whole, networks = self.spec.training, self.spec.split.trained
        shares = {
            "seed": (whole.seed + number) % MOST_SEED,
            "max_seconds": None if whole.max_seconds is None else whole.max_seconds / networks,
            "max_samples": None if whole.max_samples is None else -(-whole.max_samples // networks),
        }
        return self.spec.model_copy(update={"training": whole.model_copy(update=shares | settings)})

    def _of_refit(self, made: list[TrainedNetwork]) -> ResolvedSpec:
        """That of the network of all rows, which nothing validates: as many epochs as the best ones of the folds in the mean."""
        epochs = round(sum(each.best_epoch for each in made) / len(made))
        return self._own(len(made), epochs=epochs, early_stopping=None)


def check_classes(signature: Signature, targets: Tensor, parts: Split) -> None:
    """Raises InvalidData if a network would not learn a class, or not be validated by it."""
    if not signature.classifies:
        return
    wanted = torch.unique(targets[parts.train, 0])
    for number, fold in enumerate(parts.folds, 1):
        for rows, verb in ((fold.train, "learn from"), (fold.validation, "be validated by")):
            lacking = wanted[~torch.isin(wanted, targets[rows, 0])]
            if len(lacking):
                name = shown(signature.classes[int(lacking[0])])
                what = f"in fold {number} of {len(parts.folds)} there is no row of the class {name} to {verb}"
                raise InvalidData(f"{what}; ask for fewer folds, stratify by the target, or leave the class out")


def _state(trained: TrainedNetwork) -> State:
    return {
        "network": trained.model.network.state_dict(),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
    }


def _opened(saved: State | None) -> tuple[list[State], State | None]:
    """The networks that are done, and the state of the one after them."""
    if saved is None:
        return [], None
    try:
        return saved["done"], saved["run"]
    except KeyError as error:
        raise CheckpointUnfit from error


def _reopened(model: Model, state: State) -> TrainedNetwork:
    try:
        model.network.load_state_dict(state["network"])
        return TrainedNetwork(model, state["epochs"], state["best_epoch"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointUnfit from error
