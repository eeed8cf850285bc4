"""Warnings about data: planted leaks are found, and clean tables raise none."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.workflow.data.table import Table, Texts
from service.workflow.data_warnings import data_warnings
from service.workflow.signature import Input, Output, Signature
from service.workflow.split import Split
from service.workflow.tasks import Task
from tests.examples import examples
from tests.workflow.learning import spec, train


def parts(rows: int) -> Split:
    """60, 20 and 20 % of the rows, in their order."""
    return Split(*torch.arange(rows).split([rows * 3 // 5, rows // 5, rows - rows * 3 // 5 - rows // 5]))


def warned(columns: np.ndarray[Any, Any], target: np.ndarray[Any, Any], classes: int | None = None) -> list[str]:
    """The warnings about a table of numbers [n, w], and of a target: a number, or one of so many classes."""
    names = [f"x{at}" for at in range(columns.shape[1])]
    output = (
        Output(name="y", type="number")
        if classes is None
        else Output(name="y", type="class", classes=[*range(classes)])
    )
    task = Task.REGRESSION if classes is None else Task.MULTICLASS
    signature = Signature(task=task, inputs=[Input(name=each, type="number") for each in names], outputs=[output])
    table = Table(dict(zip(names, columns.T, strict=True)))
    truth = torch.from_numpy(target.astype(np.float64))[:, None]
    return data_warnings(signature, table, torch.from_numpy(columns), truth, parts(len(target)))


def flowers(seed: int, rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Measures of three kinds, which overlap, to a tenth: as of the irises."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, rows)
    centres = np.array([[5.0, 3.4, 1.5, 0.3], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.5, 2.0]])
    return np.round(centres[kinds] + rng.normal(size=(rows, 4)) * [0.5, 0.35, 0.6, 0.35], 1), kinds


@example(2931, 1500)  # of the test part 2 % are equal by chance
@given(st.integers(0, 10_000), st.sampled_from([150, 400, 1500]))
@settings(max_examples=examples(30), deadline=None)
def test_a_clean_table_raises_none(seed: int, rows: int) -> None:
    columns, kinds = flowers(seed, rows)
    assert warned(columns, kinds, 3) == []
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 5)).astype(np.float32)
    assert warned(numbers, numbers.sum(axis=1) + rng.normal(size=rows)) == []
    few = rng.integers(0, 2, (rows, 4)).astype(np.float32)  # rows are equal by chance
    assert warned(few, few.sum(axis=1) + rng.normal(size=rows)) == []


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 1.0]))
@settings(max_examples=examples(20), deadline=None)
def test_copies_of_training_rows_are_counted(seed: int, share: float) -> None:
    columns, kinds = flowers(seed, 1000)
    columns += np.random.default_rng(seed).normal(size=columns.shape)  # so that no rows are equal by chance
    columns[::7, 1] = np.nan
    copied = int(200 * share)
    columns[800 : 800 + copied] = columns[:copied]
    found = warned(columns, kinds, 3)
    assert len(found) == 1
    assert found[0].startswith(f"{copied} of 200 rows of the test part ({share:.0%}) are equal to training rows")


def test_copies_are_found_among_rows_that_are_equal_by_chance() -> None:
    columns, kinds = flowers(2931, 1500)
    columns[1200:1260] = columns[:60]
    (found,) = warned(columns, kinds, 3)
    assert "rows of the test part" in found


def test_zeros_of_both_signs_and_all_missing_values_are_equal() -> None:
    columns = np.random.default_rng(0).normal(size=(1000, 3))
    columns[:300, 0], columns[800:, 0] = 0.0, -0.0
    columns[:200, 1], columns[800:, 1] = np.nan, -np.nan
    columns[800:, 2] = columns[:200, 2]
    assert warned(columns, np.random.default_rng(1).normal(size=1000))[0].startswith("200 of 200 rows of the test part")


@pytest.mark.parametrize(
    "made",
    [lambda y: y, lambda y: -3 * y + 7, lambda y: 1e200 * y, lambda y: np.round(y, 2), lambda y: np.exp(y)],
    ids=["the target", "an affine function", "of other size", "rounded", "not linear"],
)
def test_a_feature_made_of_a_number_is_named(made: Any) -> None:
    rng = np.random.default_rng(2)
    target = rng.normal(size=4000)
    columns = np.stack([rng.normal(size=4000), made(target), target + rng.normal(size=4000)], axis=1)
    (found,) = warned(columns, target)
    assert found.startswith("'x1' alone predicts 'y' almost perfectly: ")


def test_a_feature_that_renames_the_classes_is_named_also_where_one_is_rare() -> None:
    rng = np.random.default_rng(3)
    kinds = (rng.random(3000) < 0.03).astype(np.int64)
    columns = np.stack([rng.normal(size=3000), np.array([40.0, 10.0])[kinds]], axis=1)
    (found,) = warned(columns, kinds, 2)
    assert found.startswith("'x1' alone predicts 'y' almost perfectly: ")
    assert warned(np.stack([columns[:, 0], np.full(3000, 1.0)], axis=1), kinds, 2) == []  # the majority alone


def test_a_text_of_each_row_predicts_no_other_row() -> None:
    names = Texts(np.arange(500, dtype=np.int32), [f"row {at}" for at in range(500)])
    inputs = [Input(name="name", type="category"), Input(name="x", type="number")]
    output = Output(name="y", type="class", classes=["a", "b"])
    signature = Signature(task=Task.BINARY, inputs=inputs, outputs=[output])
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    raw = torch.from_numpy(np.stack([np.arange(500) + 1.0, x], axis=1))
    truth = torch.from_numpy(rng.integers(0, 2, (500, 1)).astype(np.float64))
    assert data_warnings(signature, Table({"name": names, "x": x}), raw, truth, parts(500)) == []


def test_a_training_keeps_its_warnings() -> None:
    draw = random.Random(5)  # noqa: S311 - test data
    records = []
    for _ in range(300):
        size, won = draw.gauss(0, 1), draw.random() < 0.4
        records.append({"size": size, "prize": "cup" if won else None, "won": won})
    data = {"records": records, "features": ["size", "prize"]}
    assert train(spec("won", data=data)).learned.warnings == [
        "'prize' alone predicts 'won' almost perfectly: if it is only known when the target is, or is made from it, "
        "leave it out of `features`"
    ]
