"""Metrics by group: groups have each row once, their metrics are those of the whole together, and a planted bad group is named
while chance alone names none."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.table import Table, Texts
from service.workflow.errors import InvalidSpec
from service.workflow.evaluation import evaluate
from service.workflow.evaluation_spec import EvaluationSpec
from service.workflow.groups import MOST_VALUES, groups_of
from service.workflow.signature import Input, Output, Signature
from service.workflow.slice_report import FEWEST_ROWS, MOST_GROUPS, Slices
from service.workflow.slices import slices
from service.workflow.spec import parse, parse_resolved
from service.workflow.split import Split
from service.workflow.tasks import Task
from tests.examples import examples
from tests.workflow.learning import houses, resolved_from, spec, train

REGRESSION = Signature(task=Task.REGRESSION, inputs=[], outputs=[Output(name="y", type="number")])
BINARY = Signature(task=Task.BINARY, inputs=[], outputs=[Output(name="y", type="class", classes=["no", "yes"])])
BY = EvaluationSpec(by=["g"])
NUMBERS = st.one_of(
    st.lists(st.floats(width=32, allow_infinity=False), max_size=80),
    st.lists(st.sampled_from([0.0, 1.0, 2.5, float("nan")]), max_size=80),
)


def all_rows(rows: int) -> Split:
    """All rows in the test part."""
    return Split(torch.arange(0), torch.arange(0), torch.arange(rows))


def texts(values: list[str | None]) -> Texts:
    """A column of a table."""
    known = sorted({each for each in values if each is not None})
    return Texts(np.array([-1 if each is None else known.index(each) for each in values], np.int32), known)


def by_texts(signature: Signature, answers: torch.Tensor, truth: torch.Tensor, values: list[str | None]) -> Slices:
    """The metrics by the groups of one column."""
    found = slices(BY, signature, Table({"g": texts(values)}), answers, truth, all_rows(len(truth)))
    assert found is not None
    return found


def as_probabilities(labels: torch.Tensor) -> torch.Tensor:
    """Answers of two classes that predict these labels."""
    return torch.stack([0.7 - 0.4 * labels, 0.3 + 0.4 * labels], dim=1)


@given(NUMBERS, st.sampled_from([np.float32, np.float64]))
@settings(max_examples=examples(60))
def test_groups_of_numbers_have_each_row_once_and_their_ends(numbers: list[float], dtype: Any) -> None:
    column, rows = np.array(numbers, dtype), np.arange(len(numbers))
    made = groups_of(column, rows, lambda number: number)
    assert sorted(np.concatenate([each.rows for each in made]).tolist() if made else []) == rows.tolist()
    assert all(len(each.rows) for each in made)
    previous = -np.inf
    for each in made:
        inside = column[each.rows]
        if "missing" in each.about:
            assert np.isnan(inside).all()
        elif "low" in each.about:
            assert (dtype(each.about["low"]), dtype(each.about["high"])) == (inside.min(), inside.max())
            assert previous < inside.min()
            previous = inside.max()
        else:
            assert (inside == dtype(each.about["value"])).all()


@given(st.lists(st.none() | st.integers(0, 40).map(str), max_size=120))
@settings(max_examples=examples(60))
def test_groups_of_texts_have_each_row_once(values: list[str | None]) -> None:
    made = groups_of(texts(values), np.arange(len(values)), lambda number: number)
    assert sorted(row for each in made for row in each.rows.tolist()) == [*range(len(values))]
    named = [each for each in made if "value" in each.about]
    assert len(named) == min(MOST_VALUES, len({each for each in values if each is not None}))
    assert all(values[row] == each.about["value"] for each in named for row in each.rows)


@given(st.lists(st.integers(FEWEST_ROWS, 50), min_size=2, max_size=4), st.integers(0, 10_000), st.booleans())
@settings(max_examples=examples(30), deadline=None)
def test_the_weighted_metrics_of_groups_are_those_of_the_whole(sizes: list[int], seed: int, classifies: bool) -> None:
    draw = torch.Generator().manual_seed(seed)
    values: list[str | None] = [str(at) for at, size in enumerate(sizes) for _ in range(size)]
    random.Random(seed).shuffle(values)  # noqa: S311 - test data
    if classifies:
        answers, truth = as_probabilities(torch.randint(0, 2, (len(values),), generator=draw)), None
        truth = torch.randint(0, 2, (len(values), 1), generator=draw).double()
    else:
        answers, truth = (torch.randn((len(values), 1), generator=draw, dtype=torch.float64) for _ in range(2))
    signature = BINARY if classifies else REGRESSION
    found = by_texts(signature, answers, truth, values)
    whole = evaluate(signature, answers, truth, Split(*(torch.arange(len(values)) for _ in range(3)))).metrics["test"]
    groups = found.columns[0].groups
    assert sum(each.rows for each in groups) == found.rows == len(values)
    for name in ("accuracy", "log_loss") if classifies else ("mae",):
        each_one = [(each.metrics or {})[name] for each in groups]
        together = sum(group.rows * (value or 0) for group, value in zip(groups, each_one, strict=True)) / len(values)
        assert together == pytest.approx(whole[name])
    whole_metric = whole[found.metric]
    assert whole_metric is not None
    for group in groups:
        assert group.difference == pytest.approx(((group.metrics or {})[found.metric] or 0) - whole_metric)


@pytest.mark.parametrize("signature", [REGRESSION, BINARY], ids=["regression", "binary"])
def test_a_planted_bad_group_is_the_worst(signature: Signature) -> None:
    draw = torch.Generator().manual_seed(1)
    values: list[str | None] = ["bad" if i % 10 == 0 else f"fine {i % 3}" for i in range(600)]
    bad = torch.tensor([each == "bad" for each in values])
    truth = torch.randint(0, 2, (600, 1), generator=draw).double()
    wrong = torch.rand(600, generator=draw) < torch.where(bad, 0.5, 0.1)
    answered = torch.where(wrong, 1 - truth[:, 0], truth[:, 0])
    answers = answered[:, None] if signature is REGRESSION else as_probabilities(answered)
    worst = by_texts(signature, answers, truth, values).worst
    assert worst is not None and worst.beyond_chance
    assert (worst.column, worst.value, worst.rows) == ("g", "bad", 60)
    ours, others = wrong[bad].double().mean().item(), wrong[~bad].double().mean().item()
    expected = (ours, others) if signature is REGRESSION else (1 - ours, 1 - others)
    assert (worst.of_group, worst.of_others) == pytest.approx(expected)


def test_chance_alone_is_seldom_called_more() -> None:
    named = 0
    for seed in range(40):
        draw = torch.Generator().manual_seed(seed)
        truth = torch.randint(0, 2, (400, 1), generator=draw).double()
        answers = as_probabilities(torch.randint(0, 2, (400,), generator=draw))
        found = by_texts(BINARY, answers, truth, [str(i % 10) for i in range(400)])
        assert found.worst is not None
        named += found.worst.beyond_chance
    assert named <= 8, "5 % of 40 are expected"


def test_small_groups_are_only_counted() -> None:
    truth = torch.zeros((100, 1), dtype=torch.float64)
    values: list[str | None] = ["few"] * 19 + ["many"] * 60 + [None] * 21
    answers = torch.tensor([[100.0 * (each == "few")] for each in values], dtype=torch.float64)
    found = by_texts(REGRESSION, answers, truth, values)
    groups = {each.value: each for each in found.columns[0].groups}
    assert groups["few"].rows == 19 and groups["few"].metrics is None and groups["few"].difference is None
    assert groups["many"].metrics is not None
    assert groups[None].missing and groups[None].metrics is not None
    assert found.worst is not None and found.worst.value != "few"


def test_rates_and_their_largest_differences() -> None:
    # of each group: predicted and true, with how often that is
    tables = {"a": {(1, 1): 18, (0, 1): 2, (1, 0): 5, (0, 0): 15}, "b": {(1, 1): 10, (0, 1): 10, (1, 0): 1, (0, 0): 19}}
    flat = [(name, pair) for name, counts in tables.items() for pair, count in counts.items() for _ in range(count)]
    answers = as_probabilities(torch.tensor([float(predicted) for _, (predicted, _) in flat]))
    truth = torch.tensor([[float(true)] for _, (_, true) in flat], dtype=torch.float64)
    found = by_texts(BINARY, answers, truth, [name for name, _ in flat])
    assert found.positive == "yes"
    a, b = sorted(found.columns[0].groups, key=lambda each: str(each.value))
    assert (a.selection_rate, a.true_positive_rate, a.false_positive_rate) == pytest.approx((23 / 40, 0.9, 0.25))
    assert (b.selection_rate, b.true_positive_rate, b.false_positive_rate) == pytest.approx((11 / 40, 0.5, 0.05))
    assert found.columns[0].demographic_parity_difference == pytest.approx(12 / 40)
    assert found.columns[0].equalised_odds_difference == pytest.approx(0.4)


def test_a_wide_table_has_a_bounded_number_of_groups() -> None:
    rng = np.random.default_rng(0)
    inputs = [Input(name=f"x{i}", type="number") for i in range(80)]
    table = Table({each.name: rng.normal(size=200) for each in inputs})
    truth = torch.from_numpy(rng.normal(size=(200, 1)))
    found = slices(None, REGRESSION.model_copy(update={"inputs": inputs}), table, truth + 1, truth, all_rows(200))
    assert found is not None
    assert sum(len(each.groups) for each in found.columns) == MOST_GROUPS
    assert len(found.columns) + found.left_out == 80


def test_numbers_of_any_size_have_metrics_by_group() -> None:
    truth = torch.tensor([[1.7e308], [-1.7e308]] * 40, dtype=torch.float64)
    column = np.where(np.arange(80) % 3 == 0, 1e308, -1.7e308)
    found = slices(BY, REGRESSION, Table({"g": column}), -truth, truth, all_rows(80))
    assert found is not None
    Slices.model_validate(found.model_dump(mode="json", exclude_defaults=True))


def test_a_training_tells_apart_its_features_and_the_columns_that_are_named() -> None:
    records = houses(800)
    for at, each in enumerate(records):
        each["region"] = "NESW"[at % 4]
    found = train(spec("price", data={"records": records}, evaluation={"by": ["region", "large"]})).learned.slices
    assert found is not None
    columns = {each.column: each for each in found.columns}
    assert list(columns) == ["region", "large", "colour", "garden", "size", "age", "sold"]
    assert {each.value for each in columns["large"].groups} == {"true", "false"}
    assert {each.value for each in columns["garden"].groups} == {True, False}
    assert str(columns["sold"].groups[0].low).startswith("2024-")
    assert all(sum(group.rows for group in each.groups) == found.rows for each in found.columns)
    again = Slices.model_validate(found.model_dump(mode="json", exclude_defaults=True))
    assert again == found


def test_without_groups_there_is_nothing() -> None:
    line = {"kind": "line", "weight": 0.4, "bias": 0.6, "start": 0, "end": 1, "step": 0.02}
    assert train({"model_name": "m", "data": line, "training": {"epochs": 1}}).learned.slices is None


@pytest.mark.parametrize(
    ("by", "pointer", "words"),
    [
        (["colour", "colur"], "/evaluation/by/1", "did you mean 'colour'"),
        (["colour", "colour"], "/evaluation/by/1", "named twice"),
        (["picture"], "/evaluation/by/0", "there is no column"),
        ("colour", "/evaluation/by", "expected a list"),
        ([f"c{i}" for i in range(21)], "/evaluation/by", "at most 20"),
        ([7], "/evaluation/by/0", "string"),
        (["bought"], "/evaluation/by/0", "only if it is a feature"),
    ],
)
def test_a_column_that_makes_no_groups_is_refused(by: Any, pointer: str, words: str) -> None:
    records = [{**each, "bought": each["sold"]} for each in houses(60)]
    with pytest.raises(InvalidSpec) as refused:
        resolved_from(parse(spec("price", data={"records": records}, evaluation={"by": by})))
    assert refused.value.faults[0].pointer == pointer
    assert words in refused.value.faults[0].message


def test_a_spec_without_the_field_is_written_as_before() -> None:
    resolved = resolved_from(parse(spec("price"))).spec
    assert "evaluation" not in resolved.to_json()
    named = resolved_from(parse(spec("price", evaluation={"by": ["kind"]}))).spec
    assert parse_resolved(named.to_json()).evaluation == EvaluationSpec(by=["kind"])
