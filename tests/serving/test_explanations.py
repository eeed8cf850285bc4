"""Explanations: laws of what each input adds to an answer."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from service.serving import explanation as limits
from service.serving.errors import AnswerTooLarge
from service.serving.explanation import ABSOLUTE, RELATIVE, Explanation, explain
from service.serving.warm_models import Warm
from service.workflow.integrated_gradients import IntegratedGradients
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.models.input_shapes import FEATURES
from service.workflow.signature import Signature
from service.workflow.tasks import Task
from tests.examples import examples
from tests.workflow.learning import spec, train

NUMBERS = st.floats(-4, 4, width=16)


class Steps(nn.Module):
    """Answers whole numbers, which have no useful gradient."""

    def forward(self, features: Tensor) -> Tensor:
        """[n, 1]."""
        return (features[:, :1] * 3).round() + (features[:, 1:2] > 0)


class Product(nn.Module):
    """The product of two columns; a third is not seen."""

    def forward(self, features: Tensor) -> Tensor:
        """[n, 1]."""
        return features[:, :1] * features[:, 1:2]


class Words(nn.Module):
    """Counts the ids of a text that are 1, and adds a column."""

    def forward(self, given: dict[str, Tensor]) -> Tensor:
        """[n, 1]."""
        return given[FEATURES] + (given["text"] == 1).sum(dim=1, keepdim=True)


def signature(inputs: int) -> Signature:
    """Of numbers to a number."""
    named = [{"name": f"x{place}", "type": "number"} for place in range(inputs)]
    return of_inputs(named)


def of_inputs(inputs: list[dict[str, Any]]) -> Signature:
    """From these inputs to a number."""
    outputs = [{"name": "y", "type": "number"}]
    return Signature.model_validate({"task": "regression", "inputs": inputs, "outputs": outputs})


def warm(network: nn.Module, inputs: int, output: OutputKind = OutputKind.VALUE) -> Warm:
    """A model without preprocessing, to a number."""
    model = Model(network, None, None, output, Task.REGRESSION).eval().requires_grad_(False)
    return Warm(model, signature(inputs))


def mlp(inputs: int, seed: int) -> nn.Sequential:
    """A small network with random weights."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))


def row_of(values: Tensor) -> dict[str, float]:
    """A baseline."""
    return {f"x{place}": value for place, value in enumerate(values.tolist())}


def difference(found: Explanation) -> Tensor:
    """The explained answers less those of the baseline, [explained, n]."""
    answers, baseline = torch.from_numpy(found.answers).double(), torch.from_numpy(found.baseline).double()
    return torch.stack([answers.gather(1, one[:, None])[:, 0] - baseline[0, one] for one in found.which])


@given(weights=st.lists(NUMBERS, min_size=2, max_size=5), seed=st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_of_a_linear_model_it_is_the_weight_times_the_move(weights: list[float], seed: int) -> None:
    network = nn.Linear(len(weights), 1)
    network.weight.data = torch.tensor([weights])
    draw = torch.Generator().manual_seed(seed)
    rows, start = torch.randn(7, len(weights), generator=draw), torch.randn(len(weights), generator=draw)
    found = explain(warm(network, len(weights)), rows, row_of(start), None)
    assert found.method == "integrated_gradients"
    expected = (rows - start).double() * torch.tensor(weights).double()
    assert torch.allclose(found.shares[0], expected, rtol=1e-5, atol=1e-5)


@given(inputs=st.integers(1, 6), seed=st.integers(0, 2**32), gradients=st.booleans())
@settings(max_examples=examples(30), deadline=None)
def test_the_shares_add_up_and_a_column_that_is_not_seen_has_none(inputs: int, seed: int, gradients: bool) -> None:
    network = mlp(inputs + 1, seed)
    next(network.parameters()).data[:, 0] = 0
    draw = torch.Generator().manual_seed(seed)
    rows = 2 * torch.randn(9, inputs + 1, generator=draw)
    whole = network if gradients else nn.Sequential(network, _Rounded())
    found = explain(warm(whole, inputs + 1), rows, row_of(torch.zeros(inputs + 1)), None)
    wanted = difference(found)
    if not gradients:
        assert torch.allclose(found.shares.sum(dim=2), wanted, atol=1e-5)
    unit = torch.maximum(torch.from_numpy(found.answers).abs().max(), torch.from_numpy(found.baseline).abs().max())
    off = (found.shares.sum(dim=2) - wanted).abs()
    assert (off <= torch.maximum(RELATIVE * wanted.abs(), ABSOLUTE * unit) + 1e-5).all()
    # By sampling up to the rounding of a row in forwards of other rows.
    assert (found.shares[:, :, 0].abs() <= (0 if found.method == "integrated_gradients" else 1e-6)).all()


class _Rounded(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        """To steps of 0.1."""
        return (values * 10).round() / 10


def test_without_gradients_it_samples_orders_of_the_inputs() -> None:
    rows = torch.tensor([[1.0, 1.0], [0.0, -1.0], [2.0, 0.5]])
    found = explain(warm(Steps(), 2), rows, row_of(torch.zeros(2)), None)
    assert found.method == "sampling_shapley"
    assert found.shares[0].tolist() == [[3, 1], [0, 0], [6, 1]]
    again = explain(warm(Steps(), 2), rows, row_of(torch.zeros(2)), None)
    assert torch.equal(again.shares, found.shares)


@pytest.mark.parametrize("method", ["integrated_gradients", "sampling_shapley"])
def test_two_inputs_that_act_together_share_equally(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == "sampling_shapley":
        monkeypatch.setattr(IntegratedGradients, "shares", lambda *_: None)
    found = explain(warm(Product(), 3), torch.tensor([[2.0, 3.0, 5.0]]), row_of(torch.zeros(3)), None)
    assert found.method == method
    assert found.shares[0, 0].tolist() == pytest.approx([3, 3, 0], abs=1e-5)


def test_each_row_is_explained_as_alone() -> None:
    of, rows = warm(mlp(8, 3), 8), torch.randn(12, 8, generator=torch.Generator().manual_seed(3))
    together = explain(of, rows, {}, None)
    alone = torch.cat([explain(of, row[None], {}, None).shares for row in rows], dim=1)
    assert torch.allclose(together.shares, alone, atol=1e-6)


def test_an_answer_that_is_no_finite_number_has_no_shares() -> None:
    network = nn.Linear(2, 1)
    network.weight.data.fill_(3e38)
    found = explain(warm(network, 2), torch.tensor([[2.0, 1.0], [0.0, 0.0]]), row_of(torch.zeros(2)), None)
    assert found.shares[0, 0].isnan().all() and (found.shares[0, 1] == 0).all()


def test_the_work_is_bounded_and_the_refusal_says_how_many_rows_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    of, rows = warm(mlp(4, 0), 4), torch.randn(50, 4)
    monkeypatch.setattr(limits, "MOST_WORK", of.work * 8 * 30)
    with pytest.raises(AnswerTooLarge, match="50 rows takes too much work; send at most 30"):
        explain(of, rows, {}, None)
    assert explain(of, rows[:30], {}, None).method == "sampling_shapley"
    monkeypatch.setattr(limits, "MOST_WORK", of.work)
    with pytest.raises(AnswerTooLarge, match="too large to be explained"):
        explain(of, rows[:1], {}, None)


def test_it_stops_when_its_answer_is_no_longer_needed() -> None:
    class Stopped(Exception):
        pass

    def check() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        explain(warm(mlp(4, 0), 4), torch.randn(5, 4), {}, None, check)


def test_texts_are_explained_by_their_absence() -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "x", "type": "number"},
        {"name": "text", "type": "text", "shape": [3], "text": {"encoding": "ngrams", "ngrams": [1, 1], "buckets": 8}},
    ]
    model = Model(Words(), None, None, OutputKind.VALUE, Task.REGRESSION, shaped=True).eval()
    of = Warm(model, of_inputs(inputs))
    raw = {FEATURES: torch.tensor([[2.0]]), "text": torch.tensor([[1, 1, 0]])}
    found = explain(of, raw, {"x": 0.5}, None)
    assert found.method == "sampling_shapley"
    assert found.shares[0, 0].tolist() == [1.5, 2]


@pytest.mark.parametrize("target", ["price", "dear", "kind", ["price", "visitors"], ["large", "old"]])
@pytest.mark.parametrize("model", [{"kind": "tabm", "width": 16, "members": 4}, {"kind": "mlp", "hidden": [16]}])
def test_every_type_of_column_and_task_is_explained_additively(target: str | list[str], model: dict[str, Any]) -> None:
    learned = train(spec(target, model=model, training={"epochs": 15})).learned
    network = learned.model.requires_grad_(False)
    found = explain(Warm(network, learned.signature), _rows(learned), learned.baseline, None)
    assert found.method == "integrated_gradients"
    wanted = difference(found)
    assert found.shares.shape == (len(target) if isinstance(target, list) else 1, 5, 5)
    unit = 1.0 if learned.model.target is None else learned.model.target.std.max().item()
    off = (found.shares.sum(dim=2) - wanted).abs()
    assert (off <= torch.clamp(RELATIVE * wanted.abs(), min=ABSOLUTE * unit) + 1e-5).all()
    assert found.shares.abs().sum() > 0 and math.isfinite(found.shares.sum())


def _rows(learned: Any) -> Tensor:
    """Five rows, with missing values and an unknown category."""
    from service.serving.codecs.instances import from_rows

    rows = [[0.5, 1, "red", "2024-05-01", True], [-2, None, "blue", "2024-01-01", False]]
    rows += [[1, 0, None, "2024-09-09", None], [3, -3, "violet", "2025-01-01", True], [0, 0, "green", None, False]]
    raw = from_rows(learned.signature, rows, True, 0)
    assert isinstance(raw, Tensor)
    return raw
