"""What `effort` changes of the defaults, and that what a spec says itself goes before it."""

from typing import Any

import pytest

from service.workflow.errors import InvalidSpec
from service.workflow.models.bag import BagOfNetworks
from service.workflow.spec import ResolvedSpec, TrainingSpec, parse
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


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="/effort"):
        given(effort="maximal")


def test_max_trains_networks_that_answer_together() -> None:
    model = {"kind": "tabm", "width": 16, "members": 4}
    value = given(effort="max", model=model, training={"epochs": 1}).to_json()
    learned = train(value).learned
    assert isinstance(learned.model.network, BagOfNetworks) and learned.model.members == 20
