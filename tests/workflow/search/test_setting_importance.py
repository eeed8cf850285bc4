"""The importance of settings: nothing for chance, all for what decides the order, and the charts that show it."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.use_cases.draw_sweep import SWEEP_PLOTS
from service.workflow.errors import NotAvailable
from service.workflow.look.charts import describe_sweep
from service.workflow.look.sweep_charts import SWEEP_CHARTS, SweepData
from service.workflow.search.setting_importance import setting_importance
from service.workflow.search.space import Dimension
from service.workflow.search.suggest import suggest
from tests.examples import examples

SEARCH: dict[str, dict[str, Any]] = {
    "optimizer.lr": {"log": [1e-4, 1.0]},
    "model.hidden": {"choice": [[8], [8, 8], None]},
    "model.dropout": {"uniform": [0, 0.5]},
    "training.seed": {"int": [1, 3]},
}
SPACE = {name: Dimension.model_validate(about) for name, about in SEARCH.items()}


def data(trials: int, minimized: bool = True) -> SweepData:
    """Trials at random whose objective hangs on the learning rate alone."""
    values = suggest(SPACE, "random", 1, [], trials)
    made = [
        {"number": number, "values": each, "objective": abs(math.log10(each["optimizer.lr"]) + 2)}
        for number, each in enumerate(values, 1)
    ]
    return SweepData("validation_loss" if minimized else "validation.r2", minimized, SEARCH, made)


def test_what_decides_has_all_and_what_does_not_next_to_nothing() -> None:
    losses = [float(at) for at in range(100)]
    assert setting_importance(losses, losses) > 0.9
    assert setting_importance([-each for each in losses], losses) > 0.9
    assert setting_importance(["low" if each < 50 else "high" for each in losses], losses) > 0.7
    assert setting_importance([float(at * 37 % 101) for at in range(100)], losses) < 0.1
    assert setting_importance(["one"] * 100, losses) == 0


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-1e9, 1e9)), min_size=1, max_size=30))
def test_it_is_a_share(trials: list[tuple[float, float]]) -> None:
    values, losses = zip(*trials, strict=True)
    assert 0 <= setting_importance(values, losses) <= 1


def test_every_chart_is_served() -> None:
    assert set(SWEEP_PLOTS) == set(SWEEP_CHARTS)


@pytest.mark.parametrize("name", SWEEP_PLOTS)
@pytest.mark.parametrize("minimized", [True, False])
def test_charts_of_many_trials(name: str, minimized: bool) -> None:
    assert describe_sweep(name, data(20, minimized))["config"]


def test_the_decisive_setting_is_the_first_bar() -> None:
    described = describe_sweep("importance", data(60))
    assert described["encoding"]["y"]["sort"][0] == "optimizer.lr"


@pytest.mark.parametrize("name", SWEEP_PLOTS)
def test_a_sweep_without_trials_has_no_charts(name: str) -> None:
    with pytest.raises(NotAvailable, match="no trial"):
        describe_sweep(name, data(0))
    if name != "importance":
        describe_sweep(name, data(1))
