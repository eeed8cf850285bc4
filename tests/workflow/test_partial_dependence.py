"""Partial dependence: laws of it, and what a training records."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from service.workflow import partial_dependence as limits
from service.workflow.data.table import Table
from service.workflow.look.dependence import MOST_DEPENDENCES, MOST_GRID, MOST_NAMES, PartialDependence
from service.workflow.look.importance import Importance, InputImportance
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.partial_dependence import partial_dependence
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.tasks import Task
from tests.examples import examples
from tests.workflow.learning import houses, spec, train


def measured(weights: list[float], features: torch.Tensor, at_once: int = 64) -> PartialDependence | None:
    """Of a linear model without preprocessing, on the second half of the rows; the first input is the most important one."""
    network = nn.Linear(len(weights), 1)
    network.weight.data = torch.tensor([weights])
    network.bias.data.zero_()
    model = Model(network, None, None, OutputKind.VALUE, Task.REGRESSION).eval()
    names = [f"x{place}" for place in range(len(weights))]
    signature = Signature.model_validate(
        {
            "task": "regression",
            "inputs": [{"name": each, "type": "number"} for each in names],
            "outputs": [{"name": "y", "type": "number"}],
        }
    )
    table = Table(dict(zip(names, features.numpy().T, strict=True)))
    half = len(features) // 2
    parts = Split(train=torch.arange(half), validation=torch.arange(half, len(features)), test=torch.arange(0))
    inputs = [InputImportance(input=each, mean=-float(at), std=0.0) for at, each in enumerate(names)]
    important = Importance(
        part="validation", rows=half, permutations=5, measure="relative_squared_error", loss=0.5, inputs=inputs
    )
    targets = torch.zeros(len(features), 1, dtype=torch.float64)
    return partial_dependence(signature, model, table, features, targets, parts, important, at_once)


@given(
    weights=st.lists(st.floats(-4, 4, width=16), min_size=1, max_size=10),
    seed=st.integers(0, 2**32),
    at_once=st.integers(1, 70),
)
@settings(max_examples=examples(20), deadline=None)
def test_of_a_linear_model_it_is_a_line_with_its_weight(weights: list[float], seed: int, at_once: int) -> None:
    features = torch.randn(100, len(weights), generator=torch.Generator().manual_seed(seed))
    before = features.clone()
    found = measured(weights, features, at_once)
    assert found is not None and torch.equal(features, before)
    assert (found.part, found.rows, found.answers) == ("validation", 50, [0])
    assert [each.input for each in found.inputs] == [f"x{place}" for place in range(len(weights))][:MOST_DEPENDENCES]
    rows = features[50:].double().mean(dim=0)
    for place, each in enumerate(found.inputs):
        assert 2 <= len(each.values) <= MOST_GRID and each.values == sorted(map(float, each.values))
        others = sum(weight * rows[at].item() for at, weight in enumerate(weights) if at != place)
        expected = [weights[place] * float(value) + others for value in each.values]
        assert each.means[0] == pytest.approx(expected, abs=1e-4)


def test_constant_inputs_are_left_out_and_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    features[:, 1] = 7
    found = measured([1.0, 1.0, 1.0], features)
    assert (
        found is not None and [each.input for each in found.inputs] == ["x0", "x2"] and found.rows == limits.MOST_ROWS
    )
    monkeypatch.setattr(limits, "MOST_WORK", 40 * 30 * (3 * 30 + 4 + 1))
    fewer = measured([1.0, 1.0, 1.0], features)
    assert fewer is not None and fewer.rows == 30
    monkeypatch.setattr(limits, "MOST_WORK", 1)
    assert measured([1.0, 1.0, 1.0], features) is None
    assert measured([1.0], torch.ones(40, 1)) is None


@pytest.mark.parametrize("target", ["price", "dear", "kind", ["price", "visitors"], ["large", "old"]])
def test_a_training_records_it_for_every_type_of_column(target: str | list[str]) -> None:
    found = train(spec(target)).learned.points.dependence
    assert found is not None
    by_name = {each.input: each for each in found.inputs}
    assert by_name.keys() == {"size", "age", "colour", "sold", "garden"}
    assert by_name["colour"].values == ["blue", "green", "red"]
    assert by_name["garden"].values == [False, True]
    days = by_name["sold"].values
    assert (
        len(days) <= MOST_GRID and all(str(each).startswith("2024-") for each in days) and days == sorted(days, key=str)
    )
    wanted = {"dear": [1], "kind": [0, 1, 2]}.get(str(target), [0] if target == "price" else [0, 1])
    assert found.answers == wanted
    assert all(len(line) == len(each.values) for each in found.inputs for line in each.means)
    if target == "kind":  # probabilities of all classes
        sums = np.array(by_name["size"].means, float).sum(axis=0)
        assert np.allclose(sums, 1, atol=1e-5)


def test_the_most_frequent_categories_are_taken() -> None:
    records = [each | {"colour": f"c{at % 30 if at % 2 else at % 3}"} for at, each in enumerate(houses())]
    found = train(spec("price", data={"records": records})).learned.points.dependence
    assert found is not None
    colours = next(each for each in found.inputs if each.input == "colour").values
    assert len(colours) == MOST_NAMES and {"c0", "c1", "c2"} <= set(colours)
