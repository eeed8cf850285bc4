"""Statistics and metrics of numbers of any scale equal their definitions."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.evaluation import evaluate
from service.workflow.moments import moments
from service.workflow.signature import Output, Signature
from service.workflow.split import Split
from service.workflow.tasks import Task

SCALED = st.tuples(st.integers(-(10**6), 10**6), st.integers(-250, 250)).map(lambda each: each[0] * 10.0 ** each[1])
COLUMNS = st.one_of(
    st.lists(SCALED, min_size=1, max_size=30),
    st.tuples(SCALED, st.lists(st.floats(-1, 1), min_size=1, max_size=30)).map(
        lambda each: [each[0] + each[0] * 1e-9 * away for away in each[1]]
    ),
    st.tuples(SCALED, st.integers(1, 30)).map(lambda each: [each[0]] * each[1]),
)


def column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def judged(answers: list[float], truth: list[float]) -> dict[str, dict[str, float | None]]:
    nothing, rows = torch.arange(0), torch.arange(len(truth))
    signature = Signature(task=Task.REGRESSION, inputs=[], outputs=[Output(name="y", type="number")])
    return evaluate(signature, column(answers), column(truth), Split(rows, nothing, nothing)).metrics


@given(COLUMNS)
@settings(deadline=None)
def test_moments_are_those_of_the_definition(values: list[float]) -> None:
    mean, std = (each.item() for each in moments(column(values)))
    exact = [Fraction(value) for value in values]
    centre = sum(exact) / len(exact)
    largest = max(map(abs, values))
    assert mean == pytest.approx(float(centre), abs=1e-14 * largest)
    if min(values) == max(values):
        assert (mean, std) == (values[0], 1.0)
        return
    unit = Fraction(largest)
    spread = math.sqrt(sum(((value - centre) / unit) ** 2 for value in exact) / len(exact))
    assert std / largest == pytest.approx(spread, rel=1e-6, abs=1e-15)
    assert all(abs((value - mean) / std) <= 2 * math.sqrt(len(values)) for value in values)


@given(COLUMNS, st.integers(-60, 60))
@settings(deadline=None)
def test_moments_grow_with_the_numbers(values: list[float], exponent: int) -> None:
    mean, std = moments(column(values))
    larger, wider = moments(column(values) * 2.0**exponent)
    assert torch.equal(larger, mean * 2.0**exponent)
    assert torch.equal(wider, std if min(values) == max(values) else std * 2.0**exponent)


def test_a_missing_value_counts_as_the_mean() -> None:
    mean, std = moments(torch.tensor([[1.0, math.nan], [math.nan, math.nan], [3.0, math.nan]]))
    assert mean.tolist() == [2.0, 0.0] and std.tolist() == pytest.approx([math.sqrt(2 / 3), 1.0])


@given(COLUMNS, st.data())
@settings(deadline=None)
def test_r2_is_never_above_1_and_0_for_the_baseline_on_its_own_part(truth: list[float], data: st.DataObject) -> None:
    near = st.tuples(st.sampled_from(truth), st.floats(-2, 2)).map(lambda each: each[0] * each[1])
    answers = data.draw(st.lists(st.one_of(SCALED, near), min_size=len(truth), max_size=len(truth)))
    metrics = judged(answers, truth)
    found, baseline = metrics["train"]["r2"], metrics["baseline"]["r2"]
    if min(truth) == max(truth):
        assert found is None and baseline is None
    else:
        assert baseline == 0.0
        assert found is None or found <= 1
        assert judged(truth, truth)["train"]["r2"] == 1.0
    assert metrics["train"]["mae"] is not None and metrics["train"]["rmse"] is not None


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1.0, 1e200])
def test_metrics_are_those_of_the_definition(scale: float) -> None:
    truth, answers = [1.0, 2.0, 4.0, 5.0], [1.5, 2.0, 3.0, 5.0]
    found = judged([each * scale for each in answers], [each * scale for each in truth])["train"]
    errors, mean = [0.5, 0.0, -1.0, 0.0], 3.0
    assert found["r2"] == pytest.approx(1 - sum(each**2 for each in errors) / sum((each - mean) ** 2 for each in truth))
    assert found["mae"] == pytest.approx(1.5 / 4 * scale)
    assert found["rmse"] == pytest.approx(math.sqrt(1.25 / 4) * scale)


def test_r2_of_several_targets_is_their_mean() -> None:
    signature = Signature(
        task=Task.REGRESSION, inputs=[], outputs=[Output(name=name, type="number") for name in ("y", "w")]
    )
    truth = torch.tensor([[1.0, 1e8], [2.0, 1e8 + 1], [3.0, 1e8 + 2]], dtype=torch.float64)
    answers = truth.clone()
    answers[:, 1] = 1e8 + 1
    rows = Split(torch.arange(3), torch.arange(0), torch.arange(0))
    assert evaluate(signature, answers, truth, rows).metrics["train"]["r2"] == 0.5
