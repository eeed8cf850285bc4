"""Trials that are trained together, against each of them trained alone by `learn`."""

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.durable_files import sync
from service.workflow.checkpoint_folder import CheckpointFolder
from service.workflow.errors import CheckpointUnfit
from service.workflow.spec import ResolvedSpec, parse, parse_resolved
from service.workflow.state import State
from service.workflow.together import Outcome, learn_together, refusal, same_shape
from service.workflow.training_loop import AfterStep
from tests.workflow.learning import Trained, no_dataset, resolved_from, spec, train

CLOSE = 1e-3  # of losses of a few epochs, relative: rounding differs
STOPPING = {"patience": 2, "min_delta": 0.01}
ADAM = {"name": "Adam", "lr": 0.01, "weight_decay": 0.01}
MOMENTUM = {"name": "SGD", "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.001}
DEEP = {"kind": "mlp", "hidden": [16, 16], "activation": "SiLU", "normalization": "LayerNorm", "residual": True}
SHAPES: dict[str, dict[str, Any]] = {
    "one number": spec("price"),
    "two numbers, momentum, clipping": spec(
        ["price", "size"],
        data={"features": {"age": {"type": "number"}, "colour": {"type": "category"}}},
        optimizer=MOMENTUM,
        training={"gradient_clipping": 0.5},
    ),
    "two classes, Adam": spec("dear", optimizer=ADAM),
    "three classes, dropout, layer norm, residuals": spec("kind", model=DEEP | {"dropout": 0.2}),
    "labels, plain SGD, the whole part at once": spec(
        ["large", "old"], optimizer={"name": "SGD", "lr": 0.05}, training={"batch_size": "full"}
    ),
    "a sum as loss": spec("price", loss={"name": "HuberLoss", "reduction": "sum"}),
    "a schedule by epochs": spec("price", scheduler={"name": "ReduceLROnPlateau", "patience": 0, "factor": 0.3}),
    "a schedule by steps": spec(
        "price",
        scheduler={
            "name": "OneCycleLR",
            "max_lr": 0.05,
            "total_steps": 20,
            "interval": "step",
            "cycle_momentum": False,
        },
    ),
    "early stopping": spec("kind", optimizer=MOMENTUM, training={"early_stopping": STOPPING, "epochs": 40}),
    "no validation part, a last batch of one row": spec(
        "price", split={"train": 129, "validation": 0, "test": 31}, training={"batch_size": 32}
    ),
}


def trials(value: dict[str, Any], count: int = 3) -> list[dict[str, Any]]:
    """Specs of one shape: learning rate, weight decay, seed and, where the model has it, dropout differ."""
    made = []
    for at in range(count):
        each = copy.deepcopy(value)
        optimizer = each.get("optimizer", {"name": "AdamW", "lr": 0.005})
        each["optimizer"] = optimizer | {"lr": optimizer["lr"] * (1 + at), "weight_decay": 0.02 * at}
        each["training"] |= {"seed": at}
        each["split"] = {"seed": 0} | each.get("split", {})
        if "dropout" in each["model"]:
            each["model"] |= {"dropout": [0.0, 0.2, 0.5][at % 3]}
        made.append(each)
    return made


class Together:
    """Specs that are trained together, with what is reported."""

    def __init__(self, values: Sequence[dict[str, Any]], threads: int = 1) -> None:
        resolved = [resolved_from(parse(each)) for each in values]
        self.specs: list[ResolvedSpec] = [parse_resolved(each.spec.to_json()) for each in resolved]
        self.signature = resolved[0].signature
        self.reported: list[list[dict[str, float]]] = [[] for _ in values]
        self._table = self.specs[0].data.load(lambda _: self.signature.wanted(), no_dataset, Path()).table
        self._threads = threads

    def _report(self, _: int, losses: dict[int, dict[str, float]]) -> None:
        for at, each in losses.items():
            self.reported[at].append(each)

    def train(self, after_step: AfterStep | None = None, saved: State | None = None) -> list[Outcome]:
        torch.set_num_threads(self._threads)
        try:
            return learn_together(
                self.specs,
                self.signature,
                self._table,
                self._report,
                after_step=after_step,
                saved=saved,
            )
        finally:
            torch.set_num_threads(1)


def assert_alike(outcome: Outcome, alone: Trained) -> None:
    assert len(outcome.losses) == len(alone.losses)
    for mine, others in zip(outcome.losses, alone.losses, strict=True):
        assert mine == pytest.approx(others, rel=CLOSE)
    assert outcome.evaluation is not None
    for part, metrics in alone.learned.evaluation.metrics.items():
        assert outcome.evaluation.metrics[part] == pytest.approx(metrics, rel=0.02, abs=0.02), part


@pytest.mark.parametrize("name", SHAPES)
def test_each_trial_gets_the_losses_and_the_metrics_that_it_gets_alone(name: str) -> None:
    values = trials(SHAPES[name])
    together = Together(values)
    outcomes = together.train()
    for value, outcome in zip(values, outcomes, strict=True):
        assert_alike(outcome, train(value))
    assert [each.losses for each in outcomes] == together.reported


def test_a_trial_that_stops_keeps_its_best_epoch_and_leaves_the_others_alone() -> None:
    values = trials(SHAPES["early stopping"], 6)
    outcomes = Together(values).train()
    assert len({len(each.losses) for each in outcomes}) > 1, "all stop in the same epoch"
    for value, outcome in zip(values, outcomes, strict=True):
        assert_alike(outcome, train(value))
        assert len(outcome.losses) == outcome.kept + STOPPING["patience"]


def test_a_trial_that_diverges_says_so_and_leaves_the_others_alone() -> None:
    values = trials(SHAPES["two numbers, momentum, clipping"], 3)
    for each in values:
        each["training"]["gradient_clipping"] = None
    values[1]["optimizer"]["lr"] = 1e10
    without, beside = Together([values[0], values[2]]).train(), Together(values).train()
    assert beside[1].model is None
    assert beside[1].failure is not None
    assert "in epoch 1" in beside[1].failure
    for mine, other in zip((beside[0], beside[2]), without, strict=True):
        assert mine.failure is None
        assert [math.isfinite(each["train_loss"]) for each in mine.losses] == [True] * 6
        assert mine.losses[-1] == pytest.approx(other.losses[-1], rel=CLOSE)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 39), min_size=1, max_size=12, unique=True), st.sampled_from([1, 2]))
def test_what_a_trial_becomes_does_not_depend_on_those_beside_it(chosen: list[int], threads: int) -> None:
    values = trials(SHAPES["three classes, dropout, layer norm, residuals"], 40)
    outcomes = Together([values[at] for at in chosen], threads).train()
    for at, outcome in zip(chosen, outcomes, strict=True):
        for mine, other in zip(outcome.losses, _all_forty()[at], strict=True):
            assert mine == pytest.approx(other, rel=CLOSE)


def _all_forty(known: list[list[dict[str, float]]] = []) -> list[list[dict[str, float]]]:  # noqa: B006 - computed once
    if not known:
        values = trials(SHAPES["three classes, dropout, layer norm, residuals"], 40)
        known.extend(each.losses for each in Together(values).train())
    return known


class Killed(Exception):
    """Simulates `kill -9`: the state in memory is not used again."""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "name", ["early stopping", "a schedule by steps", "three classes, dropout, layer norm, residuals"]
)
def test_trials_that_are_killed_and_resumed_end_with_the_same_bits(tmp_path: Path, name: str, threads: int) -> None:
    values = trials(SHAPES[name], 12)
    calls = 0

    def count(_: Callable[[], State]) -> None:
        nonlocal calls
        calls += 1

    whole = Together(values, threads).train(count)
    folder = CheckpointFolder(tmp_path, sync)
    for end in (2, calls // 2):
        left = end

        def save(make: Callable[[], State]) -> None:
            nonlocal left
            folder.save(make())
            left -= 1
            if not left:
                raise Killed

        with pytest.raises(Killed):
            Together(values, threads).train(save, folder.load().state)
    resumed = Together(values, threads).train(saved=folder.load().state)
    for mine, other in zip(resumed, whole, strict=True):
        assert mine.losses == other.losses
        assert mine.kept == other.kept
        assert mine.evaluation == other.evaluation
        assert mine.model is not None
        assert other.model is not None
        theirs = other.model.state_dict()
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in mine.model.state_dict().items())


def test_a_state_of_other_trials_is_refused() -> None:
    states: list[State] = []
    Together(trials(SHAPES["one number"], 2)).train(lambda make: states.append(make()))
    with pytest.raises(CheckpointUnfit):
        Together(trials(SHAPES["one number"], 3)).train(saved=states[0])


def test_specs_are_of_one_shape_if_only_what_may_differ_differs() -> None:
    values = trials(SHAPES["one number"], 2)
    other = copy.deepcopy(values[0]) | {"model": {"kind": "mlp", "hidden": [8]}}
    other_rows = copy.deepcopy(values[0]) | {"split": {"seed": 1}}
    named = copy.deepcopy(values[1]) | {"model_name": "n", "notes": "another"}
    together = Together([values[0], other, values[1], other_rows, named])
    assert same_shape(together.specs) == [[0, 2, 4], [1], [3]]
    with pytest.raises(ValueError, match="differ in more than"):
        together.train()


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"model": {"kind": "tabm", "width": 8, "members": 2}}, "tabm"),
        ({"model": {"kind": "mlp", "normalization": "BatchNorm1d"}}, "BatchNorm1d"),
        ({"optimizer": {"name": "RMSprop", "lr": 0.01}}, "RMSprop"),
        ({"optimizer": {"name": "AdamW", "lr": 0.01, "amsgrad": True}}, "amsgrad"),
        ({"loss": {"name": "GaussianNLLLoss"}}, "GaussianNLLLoss"),
        ({"scheduler": {"name": "OneCycleLR", "max_lr": 0.05, "total_steps": 9}}, "momentum"),
        ({"training": {"ema": {"decay": 0.9}}}, "ema"),
        ({"training": {"accumulation_steps": 2}}, "accumulation_steps"),
        ({"training": {"precision": "bfloat16"}}, "bfloat16"),
        ({"training": {"max_samples": 100}}, "max_samples"),
        ({"training": {"freeze": ["0.*"]}}, "freeze"),
    ],
)
def test_what_is_only_trained_alone_says_why(parts: dict[str, Any], reason: str) -> None:
    together = Together([spec("price", **parts)])
    assert reason in (refusal(together.specs[0], together.signature) or "")
    with pytest.raises(ValueError, match=reason):
        together.train()


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_trained_together_here_has_no_reason_against_it(name: str) -> None:
    together = Together(trials(SHAPES[name], 1))
    assert refusal(together.specs[0], together.signature) is None
