"""What `effort` changes of the defaults, and that what a spec says itself goes before it."""

from typing import Any

import pytest
import torch

from service.workflow.errors import InvalidSpec, TrainingDiverged
from service.workflow.examples import Examples
from service.workflow.model import Model
from service.workflow.models.bag import BagOfNetworks
from service.workflow.rate_search import choose_rates
from service.workflow.spec import ResolvedSpec, TrainingSpec, parse
from service.workflow.training_loop import Fitted
from tests.workflow.learning import FEATURES, houses, resolved_from, train

TABLE = {"kind": "rows", "records": houses(), "target": "kind", "features": FEATURES}


def resolved(rows: int = 160, **parts: Any) -> ResolvedSpec:
    """The spec of the default network, resolved."""
    return resolved_from(given(rows, **parts)).spec


def given(rows: int = 160, **parts: Any) -> TrainingSpec:
    """The spec as it is read."""
    return parse({"model_name": "m", "data": TABLE | {"records": houses(rows)}, **parts})


def test_normal_is_not_recorded() -> None:
    assert resolved(effort="normal").to_json() == resolved().to_json() and "effort" not in resolved().to_json()
    assert resolved(effort="low").to_json()["effort"] == "low"


def test_low_trains_a_third_of_the_epochs_with_less_patience() -> None:
    low, normal = resolved(effort="low"), resolved()
    assert low.training.epochs == -(-normal.training.epochs // 3)
    assert low.training.early_stopping is not None and normal.training.early_stopping is not None
    assert low.training.early_stopping.patience == -(-normal.training.early_stopping.patience // 3)
    assert low.training.early_stopping.monitor == normal.training.early_stopping.monitor
    assert (low.model, low.optimizer, low.split) == (normal.model, normal.optimizer, normal.split)


@pytest.mark.parametrize(
    "training", [{"epochs": 50, "early_stopping": {"patience": 9}}, {"epochs": 50, "early_stopping": None}]
)
def test_what_the_spec_says_goes_before_low(training: dict[str, Any]) -> None:
    assert resolved(effort="low", training=training).training == resolved(training=training).training


def test_a_schedule_has_the_steps_of_the_fewer_epochs() -> None:
    texts = [{"text": f"{'good' if at % 2 else 'bad'} film {at} in a long sentence", "y": at % 2} for at in range(120)]
    data = {"kind": "rows", "records": texts, "target": "y", "features": {"text": {"type": "text"}}}
    low, normal = (
        resolved_from(parse({"model_name": "m", "data": data, "effort": each})) for each in ("low", "normal")
    )
    steps = [
        each.spec.scheduler.model_dump()["total_steps"] for each in (low, normal) if each.spec.scheduler is not None
    ]
    assert steps[0] * normal.spec.training.epochs == steps[1] * low.spec.training.epochs


def test_max_is_a_bag_of_five_folds() -> None:
    found = resolved(effort="max").split
    assert (found.kind, found.folds, found.final, found.stratify, found.test) == ("k_fold", 5, "bag", "kind", 0.15)
    own = resolved(effort="max", split={"test": 0, "group": "colour", "folds": 3}).split
    assert (own.kind, own.folds, own.final, own.group, own.test) == ("k_fold", 3, "bag", "colour", 0)


@pytest.mark.parametrize("split", [{"kind": "holdout"}, {"train": 0.8, "test": 0.2}, {"validation": 0.3}])
def test_a_split_of_its_own_goes_before_max(split: dict[str, Any]) -> None:
    assert resolved(effort="max", split=split).split == resolved(split=split).split


def test_max_without_enough_rows_says_whose_wish_the_folds_were() -> None:
    with pytest.raises(InvalidSpec) as refused:
        resolved(rows=8, effort="max")
    assert refused.value.faults[0].pointer == "/effort" and "another effort" in refused.value.faults[0].message
    with pytest.raises(InvalidSpec) as refused:
        resolved(rows=8, effort="max", split={"folds": 7})
    assert refused.value.faults[0].pointer == "/split/folds"


def test_high_chooses_the_rates_with_the_lowest_loss_of_short_trainings() -> None:
    model, training = {"kind": "tabm", "width": 16, "members": 4}, {"epochs": 12}
    high = train(given(effort="high", model=model, training=training).to_json())
    choice = high.learned.choice
    assert choice is not None and len(high.losses) <= 12  # the short trainings are not reported
    tried = choice.search.tried
    assert [(each.lr, each.weight_decay) for each in tried] == [
        pytest.approx((lr, decay)) for decay in (0.01, 0.1) for lr in (1e-3, 1e-3 / 3, 3e-3)
    ]
    losses = [each.loss for each in tried if each.loss is not None]
    assert len({*losses}) == 6 and losses.index(min(losses)) == choice.search.chosen
    short = given(model=model, training={"epochs": 4, "early_stopping": {"patience": 7}})
    assert train(short.to_json()).losses and min(losses) < losses[0]


def test_the_spec_of_the_version_trains_the_same_model_without_a_search() -> None:
    high = train(given(effort="high", model={"kind": "mlp", "dropout": 0.1}, training={"epochs": 9}).to_json())
    choice = high.learned.choice
    assert choice is not None
    recorded = choice.spec.to_json()
    assert "effort" not in recorded and recorded["optimizer"]["lr"] == choice.search.tried[choice.search.chosen].lr
    again = train(recorded)
    assert again.learned.choice is None and again.losses == high.losses
    tensors = again.learned.model.tensors()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in high.learned.model.tensors().items())


def test_high_searches_the_largest_rate_of_a_cycle() -> None:
    texts = [{"text": f"{'good' if at % 2 else 'bad'} film {at} in a long sentence", "y": at % 2} for at in range(120)]
    data = {"kind": "rows", "records": texts, "target": "y", "features": {"text": {"type": "text"}}}
    choice = train({"model_name": "m", "data": data, "effort": "high", "training": {"epochs": 6}}).learned.choice
    assert choice is not None and choice.spec.scheduler is not None
    chosen = choice.search.tried[choice.search.chosen]
    assert [each.lr for each in choice.search.tried[:3]] == [pytest.approx(0.01 * by) for by in (1, 1 / 3, 3)]
    assert choice.spec.scheduler.model_dump()["max_lr"] == chosen.lr


def test_high_leaves_a_spec_that_names_its_optimizer() -> None:
    optimizer = {"name": "AdamW", "lr": 0.002}
    assert resolved(effort="high", optimizer=optimizer) == resolved(optimizer=optimizer)


@pytest.mark.parametrize("split", [{"kind": "k_fold"}, {"test": 0.3}])
def test_high_without_one_validation_part_is_refused(split: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="/effort: high chooses by"):
        resolved(effort="high", split=split)


def test_rates_with_which_a_training_diverges_are_not_chosen() -> None:
    trained = train(given(model={"kind": "mlp"}, training={"epochs": 1}).to_json())
    examples = {"train": Examples(torch.zeros(100, 1), torch.zeros(100, 1))}
    fitted: list[float] = []

    def fit(of: ResolvedSpec, *_: Any) -> tuple[Model, Fitted]:
        fitted.append(of.optimizer.model_dump()["lr"])
        if fitted[-1] < 1e-3:
            raise TrainingDiverged
        return trained.learned.model, Fitted(1, fitted[-1])

    choice = choose_rates(trained.resolved.spec, examples, fit, lambda *_: None, None, None)
    assert [each.loss is None for each in choice.search.tried] == [False, True, False] * 2
    assert choice.search.chosen == 0 and fitted[-1] == 1e-3


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="/effort"):
        given(effort="maximal")


def test_max_trains_networks_that_answer_together() -> None:
    model = {"kind": "tabm", "width": 16, "members": 4}
    value = given(effort="max", model=model, training={"epochs": 1}).to_json()
    learned = train(value).learned
    assert isinstance(learned.model.network, BagOfNetworks) and learned.model.members == 20
