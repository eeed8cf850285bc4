"""Intervals and sets cover the truth as often as they say, contain each other as levels rise, and are refused where they would
not hold."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.workflow.conformal import MOST_SCORES, Conformal, check_scores, conformal, intervals, kept, sets
from service.workflow.errors import InvalidSpec, NoIntervals
from service.workflow.signature import Output, Signature
from service.workflow.spec import parse, parse_resolved
from service.workflow.split import Split
from service.workflow.tasks import Task
from tests.workflow.learning import houses, resolved_from, train

LEVELS = st.integers(501, 999).map(lambda thousandths: thousandths / 1000)
ROWS = st.integers(1, 5000)
NUMBER = Signature(task=Task.REGRESSION, inputs=[], outputs=[Output(name="y", type="number")])
CLASSES = Signature(task=Task.MULTICLASS, inputs=[], outputs=[Output(name="y", type="class", classes=["a", "b", "c"])])


def calibrated(signature: Signature, answers: torch.Tensor, truth: torch.Tensor) -> Conformal:
    """The scores of these rows."""
    nothing = torch.arange(0)
    found = conformal(signature, answers, truth, Split(nothing, nothing, nothing, torch.arange(len(truth))))
    assert found is not None
    return found


def numbers(draw: torch.Generator, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Answers whose errors are skewed, and the truth."""
    answers = torch.randn(rows, 1, generator=draw)
    return answers, answers + torch.randn(rows, 1, generator=draw).exp() - 1


def chances(draw: torch.Generator, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities that are too sure of themselves, and the classes that come."""
    logits = torch.randn(rows, 3, generator=draw)
    return torch.softmax(4 * logits, dim=1), torch.multinomial(torch.softmax(logits, dim=1), 1, generator=draw)


@pytest.mark.parametrize(("rows", "level"), [(9, 0.9), (30, 0.8), (150, 0.9), (2500, 0.95)])
def test_the_mean_coverage_of_intervals_is_the_level(rows: int, level: float) -> None:
    covered = []
    for seed in range(200):
        draw = torch.Generator().manual_seed(seed)
        of = calibrated(NUMBER, *numbers(draw, rows))
        answers, truth = (each.numpy() for each in numbers(draw, 200))
        low, high = intervals(answers, np.array(of.quantiles(level)))
        covered.append(np.mean((low <= truth) & (truth <= high)))
    assert level - 0.02 < np.mean(covered) < level + 1 / rows + 0.02


@pytest.mark.parametrize(("rows", "level"), [(30, 0.8), (150, 0.9), (2500, 0.95)])
def test_the_mean_coverage_of_sets_is_the_level(rows: int, level: float) -> None:
    covered, sizes = [], []
    for seed in range(200):
        draw = torch.Generator().manual_seed(seed)
        of = calibrated(CLASSES, *chances(draw, rows))
        given, truth = chances(draw, 200)
        within = sets(given.numpy(), of.quantiles(level)[0], given.numpy().argmax(axis=1))
        covered.append(within[np.arange(200), truth[:, 0].numpy()].mean())
        sizes.append(within.sum(axis=1).mean())
    assert level - 0.02 < np.mean(covered) < level + 1 / rows + 0.02
    assert 1 < np.mean(sizes) < 3


@given(ROWS, st.integers(1, 20), LEVELS)
def test_the_score_of_a_level_has_at_least_its_rank(rows: int, outputs: int, level: float) -> None:
    ranks = kept(rows, outputs)
    assert ranks[-1] == rows and ranks[0] > 0 and (np.diff(ranks) > 0).all() and len(ranks) * outputs <= MOST_SCORES
    # Each score is its own rank, so that the quantile tells which one it has.
    of = Conformal(method="absolute_residual", rows=rows, scores=[ranks.astype(float).tolist()] * outputs)
    wanted = math.ceil((rows + 1) * Fraction(repr(level)))
    if wanted > rows:
        with pytest.raises(NoIntervals, match=f"has {rows} rows"):
            of.quantiles(level)
    else:
        for found in of.quantiles(level):
            assert wanted <= found <= wanted + math.ceil(rows / 2 / len(ranks))
            assert found == wanted or rows // 2 + 1 > MOST_SCORES // outputs


@given(st.integers(20, 400), LEVELS, LEVELS, st.integers(0, 99))
def test_intervals_and_sets_of_a_higher_level_contain_those_of_a_lower_one(
    rows: int, one: float, other: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    least, most = sorted((one, other))
    of, about = calibrated(NUMBER, *numbers(draw, rows)), calibrated(CLASSES, *chances(draw, rows))
    if of.most < Fraction(repr(most)):
        return
    answers = numbers(draw, 50)[0].numpy()
    inner, outer = (intervals(answers, np.array(of.quantiles(level))) for level in (least, most))
    assert (outer[0] <= inner[0]).all() and (inner[1] <= outer[1]).all()
    given = chances(draw, 50)[0].numpy()
    few, many = (sets(given, about.quantiles(level)[0], given.argmax(axis=1)) for level in (least, most))
    assert (many | ~few).all() and few[np.arange(50), given.argmax(axis=1)].all()


def test_a_level_is_meant_as_it_is_written() -> None:
    nine = Conformal(method="absolute_residual", rows=9, scores=[kept(9, 1).astype(float).tolist()])
    assert nine.quantiles(0.9) == [9.0]
    with pytest.raises(NoIntervals, match=r"a level of 0\.9 at most"):
        nine.quantiles(0.91)


def parts(**more: Any) -> dict[str, Any]:
    """A spec with a calibration part."""
    return {
        "model_name": "m",
        "data": {"kind": "rows", "records": houses(400), "target": "price", "features": ["size", "age", "colour"]},
        "split": {"train": 0.5, "validation": 0.1, "calibration": 0.2, "test": 0.2},
        "model": {"kind": "mlp", "hidden": [16]},
        "training": {"epochs": 20, "seed": 1},
    } | more


def test_a_training_keeps_the_scores_and_says_the_coverage() -> None:
    trained = train(parts())
    learned = trained.learned
    assert trained.resolved.rows == {"train": 200, "validation": 40, "calibration": 80, "test": 80}
    everything = [row for name in trained.resolved.rows for row in learned.split.part(name).tolist()]
    assert sorted(everything) == list(range(400))
    found = learned.conformal
    assert found is not None and (found.method, found.rows) == ("absolute_residual", 80)
    check_scores(found, learned.signature)
    metrics = learned.evaluation.metrics
    assert metrics["test"]["coverage"] == pytest.approx(0.9, abs=0.1)
    assert metrics["test"]["interval_width"] == pytest.approx(2 * found.quantiles(0.9)[0])
    assert "coverage" not in metrics["validation"] and "calibration" not in metrics


@pytest.mark.parametrize("target", ["dear", "kind", ["price", "size2"]])
def test_classes_and_several_targets_have_scores(target: Any) -> None:
    rows = [each | {"size2": 3 * each["size"] + each["price"]} for each in houses(400)]
    data = {"kind": "rows", "records": rows, "target": target, "features": ["size", "age", "colour"]}
    learned = train(parts(data=data)).learned
    found = learned.conformal
    assert found is not None and len(found.scores) == len(learned.signature.outputs)
    check_scores(found, learned.signature)
    metrics = learned.evaluation.metrics["test"]
    assert metrics["coverage"] is not None and metrics["coverage"] > 0.8
    size = metrics.get("set_size" if learned.signature.classifies else "interval_width")
    assert size is not None and size > 0


def test_without_a_calibration_part_nothing_changes() -> None:
    learned = train(parts(split={"train": 0.6, "validation": 0.2, "test": 0.2})).learned
    assert learned.conformal is None and "coverage" not in learned.evaluation.metrics["test"]
    resolved = resolved_from(parse(parts(split={"test": 0.2, "calibration": 0})))
    recorded = resolved.spec.to_json()
    assert "calibration" not in recorded["split"] and resolved.rows == {"train": 320, "validation": 0, "test": 80}
    assert parse_resolved(recorded).split == resolved.spec.split
    assert parse(parts()).to_json()["split"]["calibration"] == 0.2


def test_a_column_may_name_the_rows_of_the_calibration_part() -> None:
    names = ["train", "train", "validation", "calibration", "test"]
    rows = [each | {"part": names[at % 5]} for at, each in enumerate(houses(200))]
    data = {"kind": "rows", "records": rows, "target": "price", "features": ["size", "age", "colour"]}
    learned = train(parts(data=data, split={"column": "part"})).learned
    assert learned.split.calibration.tolist() == list(range(3, 200, 5))
    assert learned.conformal is not None and learned.conformal.rows == 40


@pytest.mark.parametrize(
    ("more", "pointer", "message"),
    [
        ({"split": {"calibration": 0.2, "time": "sold"}}, "/split/calibration", "a split by time"),
        ({"split": {"calibration": 8}}, "/split/calibration", "has 8 rows, and an interval of 0.9 needs at least 9"),
        ({"split": {"calibration": 0.001}}, "/split/calibration", "no row"),
        ({"split": {"calibration": -0.1}}, "/split/calibration", "greater"),
        ({"split": {"train": 0.7, "calibration": 0.2}}, "/split", "sum to 0.9"),
        ({"data": {"target": ["large", "old"]}}, "/split/calibration", "none of several labels"),
        ({"data": {"target": [f"y{at}" for at in range(21)]}}, "/split/calibration", "21 targets are more than the 20"),
    ],
)
def test_a_calibration_part_that_makes_no_sense_is_refused(more: dict[str, Any], pointer: str, message: str) -> None:
    rows = [each | {f"y{at}": each["price"] * at + each["size"] for at in range(21)} for each in houses(200)]
    data = {"kind": "rows", "records": rows, "target": "price"} | more.get("data", {})
    with pytest.raises(InvalidSpec) as refused:
        resolved_from(parse(parts() | more | {"data": data}))
    assert refused.value.faults[0].pointer == pointer and message in refused.value.faults[0].message


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "least_ambiguous_set"},
        {"scores": [[0.1, 0.2]] * 2},
        {"scores": [[0.2, 0.1]]},
        {"scores": [[0.1, 0.2, 0.3]]},
        {"rows": 9},
    ],
)
def test_scores_that_are_not_of_the_model_are_found(wrong: dict[str, Any]) -> None:
    of = Conformal.model_validate({"method": "absolute_residual", "rows": 4, "scores": [[0.1, 0.2]]} | wrong)
    with pytest.raises(ValueError, match=r"^/conformal"):
        check_scores(of, NUMBER)
