"""Embedded numbers: the bins follow the values of the training part, and no number breaks an answer."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from service.workflow.errors import InvalidSpec
from service.workflow.learn import predict
from service.workflow.model import restore
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.number_embedding import ROWS_OF_A_BIN, WIDTH, NumberEmbedding, bin_edges, smooth_clip
from service.workflow.models.tabm import TabMSpec
from service.workflow.save_and_load import load_tensors
from service.workflow.signature import Signature
from service.workflow.spec import parse_resolved
from tests.examples import examples
from tests.workflow.learning import train

RECORDED = Path(__file__).parent / "recorded"
numbers = st.floats(-1e6, 1e6, width=32)


def embedding(values: list[float], bins: int) -> NumberEmbedding:
    """An embedding of one number, fitted to these values, whose bins have weights."""
    made = NumberEmbedding(1, bins)
    made.fit(bin_edges(torch.tensor(values)[:, None], bins))
    nn.init.normal_(made.weight)
    return made


@given(st.lists(numbers | st.just(float("nan")), min_size=1, max_size=60), st.integers(1, 12))
@settings(deadline=None)
def test_edges_are_values_in_order(values: list[float], bins: int) -> None:
    edges = bin_edges(torch.tensor(values)[:, None], bins)[:, 0]
    known = sorted({each for each in values if each == each})
    assert len(edges) == bins + 1
    assert edges.tolist() == sorted(edges.tolist())
    assert {float(each) for each in edges} <= set(known or [0.0])
    if known:
        assert (float(edges[0]), float(edges[-1])) == (known[0], known[-1])
    assert len({float(each) for each in edges}) - 1 <= max(1, len(values) // ROWS_OF_A_BIN)
    if len(known) <= min(bins, max(1, len(values) // ROWS_OF_A_BIN)) + 1:
        assert {float(each) for each in edges} == set(known or [0.0])


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(deadline=None, max_examples=examples(25))
def test_bins_hold_about_the_same_number_of_values(seed: int, bins: int) -> None:
    values = torch.randperm(1001, generator=torch.Generator().manual_seed(seed)).float()
    edges = bin_edges(values[:, None], bins)[:, 0]
    counts = [int(((low <= values) & (values < high)).sum()) for low, high in pairwise(edges)]
    assert max(counts) - min(counts) <= 1


@given(st.lists(numbers, min_size=2, max_size=40, unique=True), st.integers(1, 8), numbers)
@settings(deadline=None)
def test_an_embedding_is_linear_in_the_clipped_number_and_in_the_place_within_its_bin(
    values: list[float], bins: int, x: float
) -> None:
    made = embedding(values, bins)
    edges = bin_edges(torch.tensor(values)[:, None], bins)[:, 0].double()
    full = (x >= edges[1:]).double()  # bins below the number count whole
    widths = edges.diff()
    inside = (x > edges[:-1]) & (x < edges[1:])
    places = torch.where(inside, (x - edges[:-1]) / widths, full)
    places[widths == 0] = 0.0
    by_hand = made.bias + smooth_clip(torch.tensor([[[x]]])) * made.linear + places.float() @ made.weight
    assert torch.allclose(made(torch.tensor([[x]])), by_hand.view(1, WIDTH), rtol=1e-3, atol=1e-3)


def test_other_columns_stay_behind_the_numbers() -> None:
    made = NumberEmbedding(2, 3)
    x = torch.randn(5, 4)
    assert made(x).shape == (5, 2 * WIDTH + 2)
    assert torch.equal(made(x)[:, -2:], x[:, 2:])
    assert torch.equal(made(x)[:, WIDTH : 2 * WIDTH], made(x[:, [1, 1]])[:, WIDTH:])


def test_an_embedding_has_gradients_by_its_numbers() -> None:
    made = embedding([-2.0, -1.0, 0.0, 1.0, 2.0], 4)
    assert torch.autograd.gradcheck(
        made.double(), torch.tensor([[0.3], [-1.7]], dtype=torch.float64, requires_grad=True)
    )


@pytest.mark.parametrize("x", [1e6, -1e20, 3.4e38, float("inf"), float("-inf"), 1e-45, -1e-38])
def test_an_answer_to_any_number_is_finite(x: float) -> None:
    made = embedding([0.0, 1e-45, 1e-30, 1.0], 3)
    assert made(torch.tensor([[x]])).isfinite().all()
    assert abs(float(smooth_clip(torch.tensor([[2.0]])))) < 3


def test_a_column_that_was_constant_changes_no_answer() -> None:
    records = [{"x": i / 60, "constant": 7.0, "y": (i % 13) / 13} for i in range(60)]
    data = {"kind": "rows", "records": records, "target": "y", "features": ["x", "constant"]}
    trained = train({"model_name": "m", "data": data, "model": {"kind": "tabm", "bins": 8}, "training": {"epochs": 3}})
    answers = predict(trained.learned.model, torch.tensor([[0.5, 7.0], [0.5, 1e9], [0.5, -3.0]]))
    assert torch.equal(answers[0], answers[1]) and torch.equal(answers[0], answers[2])


def test_a_threshold_is_learned_that_the_plain_network_misses() -> None:
    """A band of values, as narrow as a twentieth of the range."""
    records = [{"x": i / 2000, "y": "in" if i % 200 < 100 else "out"} for i in range(2000)]

    def accuracy(**model: Any) -> float:
        data = {"kind": "rows", "records": records, "target": "y"}
        trained = train(
            {"model_name": "m", "data": data, "model": {"kind": "tabm", **model}, "training": {"epochs": 60}}
        )
        found = trained.learned.evaluation.metrics["test"]["accuracy"]
        assert found is not None
        return found

    assert accuracy() > 0.9 > accuracy(bins=0)


@given(st.integers(1, 20_000))
def test_the_number_of_bins_follows_the_formula(columns: int) -> None:
    bins = TabMSpec().sized(1000, InputShapes.of_columns(columns)).bins
    assert bins == (min(50, 2**14 // columns) if columns <= 2**12 else 0)


def test_numbers_that_are_not_normalized_are_not_embedded() -> None:
    records = [{"x": float(i), "y": float(i % 7)} for i in range(50)]
    data = {"kind": "rows", "records": records, "target": "y"}
    given_spec = {"model_name": "m", "data": data, "model": {"kind": "tabm"}, "training": {"epochs": 1}}
    trained = train(given_spec | {"preprocessing": {"normalize": False}})
    assert trained.resolved.spec.model.model_dump()["bins"] == 0
    assert not any("embedding" in name for name in trained.learned.model.tensors())
    with pytest.raises(InvalidSpec, match="/model/bins: no feature is a normalized number"):
        train(given_spec | {"preprocessing": {"normalize": False}, "model": {"kind": "tabm", "bins": 8}})


def test_a_version_of_before_there_were_embeddings_answers_the_same() -> None:
    recorded = json.loads((RECORDED / "tabm-0.json").read_text("utf-8"))
    assert "bins" not in recorded["spec"]["model"]
    spec, signature = parse_resolved(recorded["spec"]), Signature.model_validate(recorded["signature"])
    model = restore(spec, signature, load_tensors(RECORDED / "tabm-0.safetensors"))
    raw = torch.tensor([[float("nan") if each is None else each for each in row] for row in recorded["raw"]])
    assert torch.allclose(predict(model, raw), torch.tensor(recorded["answers"]), atol=1e-6)
