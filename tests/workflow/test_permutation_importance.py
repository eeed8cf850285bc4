"""Permutation importance: laws of it, and what a training records."""

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from service.workflow import permutation_importance as limits
from service.workflow.look.importance import Importance
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.models.input_shapes import FEATURES
from service.workflow.permutation_importance import permutation_importance
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.tasks import Task
from tests.examples import examples
from tests.workflow.learning import FEATURES as HOUSE_COLUMNS
from tests.workflow.learning import spec, train

WEIGHTS = st.lists(st.floats(-4, 4, width=16), min_size=2, max_size=5)


def linear(weights: list[float]) -> Model:
    """A linear model without preprocessing."""
    network = nn.Linear(len(weights), 1)
    network.weight.data = torch.tensor([weights])
    network.bias.data.zero_()
    return Model(network, None, None, OutputKind.VALUE, Task.REGRESSION).eval()


def signature(inputs: int) -> Signature:
    """Of numbers to a number."""
    named = [{"name": f"x{place}", "type": "number"} for place in range(inputs)]
    return Signature.model_validate(
        {"task": "regression", "inputs": named, "outputs": [{"name": "y", "type": "number"}]}
    )


def measured(model: Model, features: Tensor, targets: Tensor, seed: int = 0, at_once: int = 64) -> Importance | None:
    """The importance on the second half of the rows."""
    half = len(features) // 2
    parts = Split(train=torch.arange(half), validation=torch.arange(half, len(features)), test=torch.arange(0))
    return permutation_importance(signature(features.shape[1]), model, features, targets, parts, seed, at_once)


@given(weights=WEIGHTS, seed=st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_of_a_true_linear_model_it_is_the_weight_squared_times_the_moves(weights: list[float], seed: int) -> None:
    """Where the model is the truth, the squared error is that of the move alone: w²·mean((x' - x)²)."""
    features = torch.randn(120, len(weights), generator=torch.Generator().manual_seed(seed))
    model = linear(weights)
    with torch.inference_mode():
        targets = model(features).double()
    found = measured(model, features, targets, seed)
    rows = features[60:].double()
    variance = targets[60:].var(correction=0)
    if found is None:
        assert variance == 0
        return
    draw = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(60, generator=draw) for _ in range(found.permutations)]
    for each in found.inputs:
        place = int(each.input[1:])
        moves = torch.stack([(rows[order, place] - rows[:, place]).square().mean() for order in orders])
        expected = weights[place] ** 2 * moves / variance
        assert each.mean == pytest.approx(expected.mean().item(), rel=1e-3, abs=1e-5)
        assert each.std == pytest.approx(expected.std(correction=0).item(), rel=1e-2, abs=1e-5)


@given(seed=st.integers(0, 2**32), at_once=st.integers(1, 70))
@settings(max_examples=examples(20), deadline=None)
def test_a_column_that_is_not_seen_or_does_not_vary_has_exactly_none(seed: int, at_once: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(100, 3, generator=draw)
    features[:, 2] = 5
    found = measured(linear([2.0, 0.0, 3.0]), features, torch.randn(100, 1, generator=draw).double(), seed, at_once)
    assert found is not None
    by_name = {each.input: (each.mean, each.std) for each in found.inputs}
    assert by_name["x1"] == by_name["x2"] == (0.0, 0.0)
    assert [each.mean for each in found.inputs] == sorted((each.mean for each in found.inputs), reverse=True)


def test_the_features_are_not_changed_and_neither_is_torchs_generator() -> None:
    features, model = torch.randn(40, 2), linear([1.0, 1.0])
    before, state = features.clone(), torch.get_rng_state()
    measured(model, features, features.sum(1, keepdim=True).double())
    assert torch.equal(features, before) and torch.equal(torch.get_rng_state(), state)


def test_what_cannot_be_measured_has_none() -> None:
    features = torch.randn(40, 2)
    assert measured(linear([1.0, 1.0]), features, torch.ones(40, 1).double()) is None, "a constant target"
    assert measured(linear([1.0, 1.0]), features[:1], features[:1, :1].double()) is None, "one row"
    assert measured(linear([3e38, 3e38]), features * 10, features[:, :1].double()) is None, "infinite answers"


def test_the_work_is_bounded_by_rows_and_then_by_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.randn(2 * limits.MOST_ROWS + 1000, 4)
    of = (linear([1.0, 1.0, 1.0, 1.0]), features, features.sum(1, keepdim=True).double())
    found = measured(*of)
    assert found is not None and (found.rows, found.left_out) == (limits.MOST_ROWS, 0)
    one = limits.ENCODED * 4 + 5 + 1  # a row: four values and five parameters
    monkeypatch.setattr(limits, "MOST_WORK", one * limits.PERMUTATIONS * limits.FEWEST_ROWS * 2)
    fewer = measured(*of)
    assert fewer is not None and (fewer.rows, fewer.left_out) == (limits.FEWEST_ROWS, 2)
    assert {each.input for each in fewer.inputs} == {"x0", "x1"}
    monkeypatch.setattr(limits, "MOST_WORK", 1)
    assert measured(*of) is None


class Brightness(nn.Module):
    """Answers the mean of an image, and adds nothing of the columns beside it."""

    def forward(self, given: dict[str, Tensor]) -> Tensor:
        """[n, 1]."""
        return given["photo"].float().mean(dim=(1, 2, 3))[:, None] + 0 * given[FEATURES].sum(1, keepdim=True)


def test_a_value_with_a_shape_is_one_input() -> None:
    inputs = [{"name": "size", "type": "number"}, {"name": "photo", "type": "image", "shape": [3, 4, 4]}]
    of = {"task": "regression", "inputs": inputs, "outputs": [{"name": "y", "type": "number"}]}
    photos = torch.randint(0, 256, (60, 3, 4, 4), dtype=torch.uint8)
    model = Model(Brightness(), None, None, OutputKind.VALUE, Task.REGRESSION, shaped=True).eval()
    parts = Split(train=torch.arange(30), validation=torch.arange(0), test=torch.arange(30, 60))
    features = {FEATURES: torch.randn(60, 1), "photo": photos}
    targets = photos.double().mean(dim=(1, 2, 3))[:, None]
    found = permutation_importance(Signature.model_validate(of), model, features, targets, parts, 0, 7)
    assert found is not None and found.part == "test"
    assert [each.input for each in found.inputs] == ["photo", "size"]
    assert found.inputs[0].mean > 0.5 and found.inputs[1].mean == 0


def told() -> list[dict[str, Any]]:
    """Rows whose price follows from the date and the size, with a column of noise."""
    draw = random.Random(3)  # noqa: S311 - test data
    made = []
    for _ in range(400):
        size, month = draw.gauss(0, 1), draw.randint(1, 12)
        price = 2 * size + (3 if month > 6 else 0)
        made.append(
            {"size": size, "sold": f"2024-{month:02d}-15", "noise": draw.gauss(0, 1), "price": price, "dear": price > 2}
        )
    return made


COLUMNS = {"size": {"type": "number"}, "sold": {"type": "datetime"}, "noise": {"type": "number"}}


@pytest.mark.parametrize("target", ["price", "dear"])
def test_a_training_records_what_matters(target: str) -> None:
    wanted = spec(target, data={"records": told(), "features": COLUMNS}, training={"epochs": 60, "seed": 5})
    found = train(wanted).learned.importance
    assert found is not None and found.part == "validation" and found.left_out == 0
    assert found.measure == ("log_loss" if target == "dear" else "relative_squared_error")
    by_name = {each.input: each.mean for each in found.inputs}
    assert set(by_name) == set(COLUMNS)
    assert min(by_name["size"], by_name["sold"]) > 5 * abs(by_name["noise"])
    assert train(wanted).learned.importance == found


@pytest.mark.parametrize("target", [["price", "visitors"], ["large", "old"], "kind"])
def test_every_task_has_it(target: Any) -> None:
    learned = train(spec(target)).learned
    assert learned.importance is not None
    assert {each.input for each in learned.importance.inputs} == set(HOUSE_COLUMNS)
    part = learned.evaluation.metrics["validation"]
    if target == "kind":
        assert learned.importance.loss == pytest.approx(part["log_loss"], rel=1e-5)
    elif "price" in target:
        r2 = part["r2"]
        assert r2 is not None and learned.importance.loss == pytest.approx(1 - r2, rel=1e-5)
