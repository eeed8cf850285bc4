"""Folds: every row validates once a network that has not learned from it, and what answers has learned from all of them."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.workflow.data.table import Texts
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.look.available import available
from service.workflow.models.bag import BagOfNetworks
from service.workflow.spec import parse
from service.workflow.split import Split, SplitSpec, resolve, split
from tests.workflow.learning import houses, resolved_from, spec, train
from tests.workflow.test_split import schema, table

ROWS, FOLDS, SEEDS = st.integers(8, 200), st.integers(2, 7), st.integers(0, 5)
TABM = {"kind": "tabm", "width": 16, "members": 4}


def made(rows: int, groups: int = 4, seed: int = 0, **parts: Any) -> Split | None:
    """The folds; None if the rows are too few for them."""
    try:
        resolved = resolve(SplitSpec(kind="k_fold", **parts), seed, schema(rows, groups))
        return split(resolved, table(rows, groups))
    except (InvalidSpec, InvalidData):
        return None


def codes(rows: int, groups: int) -> Any:
    column = table(rows, groups).columns["group"]
    assert isinstance(column, Texts)
    return column.codes


@given(ROWS, FOLDS, SEEDS, st.booleans(), st.sampled_from([None, "stratify", "group", "time"]))
def test_each_row_tests_or_validates_once(rows: int, folds: int, seed: int, shuffle: bool, by: str | None) -> None:
    column = {} if by is None else {by: "time" if by == "time" else "group"}
    found = made(rows, 8, seed, folds=folds, shuffle=shuffle, **column)
    if found is None:
        return
    validated = torch.cat([fold.validation for fold in found.folds]).tolist()
    first = [] if by != "time" else found.folds[0].train.tolist()
    assert sorted(validated + first + found.test.tolist()) == list(range(rows))
    assert sorted(found.train.tolist()) == sorted(validated + first)
    assert sorted(found.validation.tolist()) == sorted(validated)
    for fold in found.folds:
        learned, judged = set(fold.train.tolist()), set(fold.validation.tolist())
        assert not learned & judged and learned | judged <= set(found.train.tolist())
        if by != "time":
            assert learned | judged == set(found.train.tolist())
    again = made(rows, 8, seed, folds=folds, shuffle=shuffle, **column)
    assert again is not None and again.digests() == found.digests()
    assert all(torch.equal(one.validation, two.validation) for one, two in zip(found.folds, again.folds, strict=True))


@given(ROWS, FOLDS, SEEDS)
def test_a_group_validates_as_a_whole(rows: int, folds: int, seed: int) -> None:
    found = made(rows, 8, seed, folds=folds, group="group", test=0.1)
    if found is None:
        return
    of = codes(rows, 8)
    parts = [set(of[fold.validation.numpy()].tolist()) for fold in found.folds]
    parts.append(set(of[found.test.numpy()].tolist()))
    assert sum(map(len, parts)) == len(set().union(*parts))


@given(ROWS, FOLDS, st.integers(2, 6), st.booleans())
def test_stratified_folds_have_each_class_as_often(rows: int, folds: int, classes: int, shuffle: bool) -> None:
    found = made(rows, classes, folds=folds, stratify="group", shuffle=shuffle, test=0)
    if found is None:
        return
    counts = np.array(
        [np.bincount(codes(rows, classes)[each.validation.numpy()], minlength=classes) for each in found.folds]
    )
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert counts.sum(axis=1).max() - counts.sum(axis=1).min() <= 1


@given(ROWS, FOLDS)
def test_windows_of_time_learn_from_all_that_came_before(rows: int, folds: int) -> None:
    found = made(rows, folds=folds, time="time")
    if found is None:
        return
    times = table(rows).columns["time"]
    assert isinstance(times, np.ndarray)
    for before, after in zip(found.folds, found.folds[1:], strict=False):
        assert torch.equal(after.train, torch.cat([before.train, before.validation]))
    for fold in found.folds:
        assert times[fold.train.numpy()].max() < times[fold.validation.numpy()].min()
    assert len(found.test) == 0 or times[found.train.numpy()].max() < times[found.test.numpy()].min()


@pytest.mark.parametrize(
    ("parts", "final"),
    [({}, "bag"), ({"folds": 6}, "refit"), ({"time": "time"}, "refit"), ({"time": "time", "final": "bag"}, "bag")],
)
def test_what_answers_by_default(parts: dict[str, Any], final: str) -> None:
    resolved = resolve(SplitSpec(kind="k_fold", **parts), 3, schema(100))
    assert (resolved.final, resolved.test, resolved.seed) == (final, 0.15, 3)
    assert resolve(resolved, 9, schema(100)) == resolved


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"kind": "k_fold", "train": 0.8}, "/split/train"),
        ({"kind": "k_fold", "validation": 0.2}, "/split/validation"),
        ({"kind": "k_fold", "column": "part"}, "/split/column"),
        ({"kind": "k_fold", "folds": 20}, "/split/folds"),
        ({"kind": "k_fold", "folds": 18, "test": 0, "time": "time"}, "/split/folds"),
        ({"kind": "k_fold", "folds": 5, "group": "group"}, "/split/folds"),
        ({"kind": "k_fold", "test": 0.01}, "/split/test"),
        ({"kind": "k_fold", "test": 21}, "/split"),
        ({"folds": 3}, "/split/folds"),
        ({"final": "bag"}, "/split/final"),
    ],
)
def test_folds_that_cannot_be_are_refused(parts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        resolve(SplitSpec(**parts), 0, schema(19))
    assert refused.value.faults[0].pointer == pointer


def test_a_bag_answers_with_the_mean_of_the_folds_networks() -> None:
    trained = train(spec("kind", model=TABM, split={"kind": "k_fold", "folds": 3}, training={"epochs": 2}))
    learned, bag = trained.learned, trained.learned.model.network
    assert isinstance(bag, BagOfNetworks) and learned.model.members == 12
    assert trained.resolved.spec.split.stratify == "kind"  # a target of classes
    assert learned.model.preprocessing is not None
    raw = torch.randn(7, learned.model.preprocessing.width, generator=torch.Generator().manual_seed(0))
    each = [network(raw).unflatten(0, (4, -1)).softmax(dim=-1).mean(dim=0) for network in bag.networks]
    assert torch.allclose(learned.model.answer(bag(raw)), torch.stack(each).mean(dim=0), atol=1e-6)
    assert not torch.equal(each[0], each[1])


@pytest.mark.parametrize("target", ["kind", "price", "dear"])
def test_metrics_are_out_of_fold(target: str) -> None:
    """A network that learns its rows by heart is right where it has learned, and no better than chance where it is validated."""
    rows = [row | {"noise": at * 7919 % 1009} for at, row in enumerate(houses(90))]
    order = sorted(range(90), key=lambda at: at * 31 % 90)
    shuffled = [rows[at] | {target: rows[order[at]][target]} for at in range(90)]
    data = {"records": shuffled, "features": {"noise": {"type": "category"}}}
    training = {"epochs": 60, "batch_size": "full"}
    optimizer = {"name": "Adam", "lr": 0.1}
    split_by = {"kind": "k_fold", "folds": 3, "final": "refit", "test": 0}
    learned = train(spec(target, data=data, training=training, optimizer=optimizer, split=split_by)).learned
    metrics, folds = learned.evaluation.metrics, learned.folds
    assert folds is not None and sum(each.validation_rows for each in folds.folds) == 90
    name = "r2" if target == "price" else "balanced_accuracy"
    by_heart, validated = metrics["train"][name], metrics["validation"][name]
    assert by_heart is not None and validated is not None and by_heart > 0.95 and validated < 0.7
    spread = folds.metrics[name]
    values = [value for each in folds.folds if (value := each.metrics[name]) is not None]
    assert (
        spread is not None
        and spread.mean == pytest.approx(np.mean(values))
        and spread.std == pytest.approx(np.std(values))
    )


def test_the_network_of_all_rows_takes_the_mean_of_the_best_epochs() -> None:
    training = {"epochs": 40, "early_stopping": {"patience": 2}}
    split_by = {"kind": "k_fold", "folds": 3, "final": "refit"}
    trained = train(spec("price", optimizer={"name": "Adam", "lr": 0.05}, training=training, split=split_by))
    folds = trained.learned.folds
    assert folds is not None
    epochs, best = [each.epochs for each in folds.folds], [each.best_epoch for each in folds.folds]
    assert all(0 < one <= other for one, other in zip(best, epochs, strict=True))
    assert len(trained.losses) == sum(epochs) + round(sum(best) / 3)
    assert np.isnan(trained.losses[-1]["validation_loss"]) and not np.isnan(trained.losses[0]["validation_loss"])


def test_a_fold_of_one_group_that_has_a_class_alone_is_refused() -> None:
    rows = [row | {"site": "abc"[at % 3], "dear": "yes" if at % 3 == 0 else "no"} for at, row in enumerate(houses(60))]
    split_by = {"kind": "k_fold", "folds": 3, "group": "site", "test": 0}
    with pytest.raises(InvalidData, match=r"no row of the class .*ask for fewer folds"):
        train(spec("dear", data={"records": rows}, split=split_by))


def test_a_class_rarer_than_the_folds_is_refused_before_there_is_a_job() -> None:
    rows = [row | {"kind": "castle" if at < 4 else row["kind"]} for at, row in enumerate(houses(60))]
    with pytest.raises(InvalidSpec, match="/split/folds: the class 'castle' has 4 rows"):
        train(spec("kind", data={"records": rows}, split={"kind": "k_fold"}))


@pytest.mark.parametrize(("field", "value"), [("calibration", "temperature"), ("initial", "m@1")])
def test_what_folds_cannot_do_is_refused(field: str, value: str) -> None:
    with pytest.raises(InvalidSpec, match=f"/{field}"):
        train(spec("kind", split={"kind": "k_fold"}, **{field: value}))


def test_a_holdout_is_recorded_as_before() -> None:
    resolved = resolved_from(parse(spec("kind"))).spec
    assert not {"kind", "folds", "final"} & resolved.to_json()["split"].keys()


def test_limits_are_of_all_networks_together() -> None:
    training = {"epochs": 50, "batch_size": 10, "max_samples": 300}
    trained = train(spec("price", training=training, split={"kind": "k_fold", "folds": 3, "test": 0}))
    assert trained.learned.folds is not None
    assert [each.epochs for each in trained.learned.folds.folds] == [1, 1, 1]  # 100 rows each, of 106


def test_the_points_have_each_row_once() -> None:
    learned = train(spec("dear", training={"epochs": 1}, split={"kind": "k_fold", "folds": 4})).learned
    points = learned.points
    assert (points.part.count("train"), points.part.count("validation"), points.part.count("test")) == (0, 136, 24)
    assert "roc" in available(learned.signature, points, confused=True, important=True)
    drawn = zip(points.part, points.truth, points.prediction, strict=True)
    right = [truth == prediction for part, truth, prediction in drawn if part == "validation"]
    assert sum(right) / len(right) == learned.evaluation.metrics["validation"]["accuracy"]


def test_folds_leave_the_calibration_part_alone_and_answers_get_intervals() -> None:
    split_by = {"kind": "k_fold", "folds": 3, "calibration": 0.2}
    learned = train(spec("price", split=split_by, training={"epochs": 2})).learned
    parts, apart = learned.split, learned.split.calibration.tolist()
    assert len(apart) == 32 and not {*apart} & {*parts.train.tolist(), *parts.test.tolist()}
    assert sorted([*apart, *parts.train.tolist(), *parts.test.tolist()]) == list(range(160))
    assert learned.conformal is not None and learned.conformal.rows == 32
    assert learned.evaluation.metrics["test"]["coverage"] is not None


def test_a_threshold_is_chosen_out_of_fold() -> None:
    split_by = {"kind": "k_fold", "folds": 3}
    learned = train(spec("dear", split=split_by, threshold={"metric": "f1"}, training={"epochs": 3})).learned
    assert learned.threshold is not None and learned.threshold.rows == len(learned.split.validation)
    assert learned.threshold.after == pytest.approx(learned.evaluation.metrics["validation"]["f1"])
