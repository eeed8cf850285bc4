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
    [lambda y: np.round(y, 2), lambda y: np.exp(y), lambda y: y + 1e-3 * np.sin(1e5 * y)],
    ids=["rounded", "not linear", "with noise"],
)
def test_a_feature_made_of_a_number_is_named(made: Any) -> None:
    rng = np.random.default_rng(2)
    target = rng.normal(size=4000)
    columns = np.stack([rng.normal(size=4000), made(target), target + rng.normal(size=4000)], axis=1)
    (found,) = warned(columns, target)
    assert found.startswith("'x1' alone predicts 'y' almost perfectly: ")


def test_a_feature_that_tells_the_classes_is_named_also_where_one_is_rare() -> None:
    rng = np.random.default_rng(3)
    kinds = (rng.random(3000) < 0.03).astype(np.int64)
    columns = np.stack([rng.normal(size=3000), np.array([40.0, 10.0])[kinds] + rng.random(3000)], axis=1)
    (found,) = warned(columns, kinds, 2)
    assert found.startswith("'x1' alone predicts 'y' almost perfectly: ")
    assert warned(np.stack([columns[:, 0], np.full(3000, 1.0)], axis=1), kinds, 2) == []  # the majority alone


def test_a_text_of_each_row_predicts_no_other_row() -> None:
    (found,) = texts_beside_noise([f"row {at}" for at in range(500)])
    assert found.startswith("'name' has a different value in nearly every row")


@pytest.mark.parametrize(
    "made",
    [lambda y: y, lambda y: -3 * y + 7, lambda y: 1e200 * y, lambda y: (1000 + y).astype(np.float32).astype(float)],
    ids=["the target", "an affine function", "of other size", "in float32"],
)
def test_the_target_in_another_unit_is_named(made: Any) -> None:
    rng = np.random.default_rng(2)
    target = rng.normal(size=4000)
    columns = np.stack([rng.normal(size=4000), made(target), target + rng.normal(size=4000)], axis=1)
    columns[::9, 1] = np.nan
    (found,) = warned(columns, target)
    assert found == "'x1' is the target 'y' itself, in another unit or as it is: leave it out of `features`"


def test_the_target_under_other_names_is_named() -> None:
    rng = np.random.default_rng(3)
    kinds = rng.choice(3, 600, p=[0.9, 0.08, 0.02])
    columns = np.stack([rng.normal(size=600), np.array([40.0, 10.0, 7.0])[kinds]], axis=1)
    (found,) = warned(columns, kinds, 3)
    assert found == "'x1' is the target 'y' itself, under other names or as it is: leave it out of `features`"
    columns[7, 1] = 10.0 if columns[7, 1] == 40.0 else 40.0
    assert not any("itself" in each for each in warned(columns, kinds, 3)), "one row contradicts it"


def test_few_rows_that_agree_by_chance_are_no_copy() -> None:
    rng = np.random.default_rng(3)
    kinds = np.array([0] * 36 + [1] * 4)
    assert warned(np.stack([rng.normal(size=40), kinds.astype(float)], axis=1), kinds, 2) == []


def texts_beside_noise(names: list[str]) -> list[str]:
    """The warnings about a column of texts, and one of noise, with a random class."""
    values, codes = np.unique(np.array(names, object), return_inverse=True)
    inputs = [Input(name="name", type="category"), Input(name="x", type="number")]
    output = Output(name="y", type="class", classes=["a", "b"])
    signature = Signature(task=Task.BINARY, inputs=inputs, outputs=[output])
    rng, rows = np.random.default_rng(4), len(names)
    x = rng.normal(size=rows)
    table = Table({"name": Texts(codes.astype(np.int32), values.tolist()), "x": x})
    raw = torch.from_numpy(np.stack([codes + 1.0, x], axis=1))
    truth = torch.from_numpy(rng.integers(0, 2, (rows, 1)).astype(np.float64))
    return data_warnings(signature, table, raw, truth, parts(rows))


def test_texts_that_come_again_are_no_identifiers() -> None:
    assert texts_beside_noise([f"ticket {at % 400}" for at in range(500)]) == []
    assert texts_beside_noise([f"row {at}" for at in range(40)]) == [], "too few rows"


def numbered(name: str, numbers: np.ndarray[Any, Any]) -> list[str]:
    """The warnings about a column of numbers with this name, and two of noise, of which one is the target."""
    rng, rows = np.random.default_rng(5), len(numbers)
    columns = {name: numbers.astype(np.float64), "x": rng.normal(size=rows)}
    inputs = [Input(name=each, type="number") for each in columns]
    signature = Signature(task=Task.REGRESSION, inputs=inputs, outputs=[Output(name="y", type="number")])
    raw = torch.from_numpy(np.stack(list(columns.values()), axis=1))
    truth = torch.from_numpy(rng.normal(size=(rows, 1)))
    return data_warnings(signature, Table(columns), raw, truth, parts(rows))


@given(st.integers(0, 10**9), st.sampled_from([1, 2, 10, -1]), st.integers(50, 400), st.integers(0, 3))
@settings(max_examples=examples(30), deadline=None)
def test_whole_numbers_that_number_the_rows_are_named(start: int, by: int, rows: int, gaps: int) -> None:
    numbers = start + by * np.arange(rows + gaps)
    kept = np.delete(numbers, np.linspace(10, rows - 10, gaps).astype(int))
    (found,) = numbered("customer", kept)
    assert found.startswith("'customer' numbers the rows, as an identifier does")
    assert numbered("Year", kept) == [] and numbered("t", kept) == [], "a time"


@given(st.integers(0, 10_000), st.integers(50, 400))
@settings(max_examples=examples(30), deadline=None)
def test_measures_are_no_identifiers(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    for numbers in (
        rng.normal(size=rows),  # all different, and no whole numbers
        np.sort(rng.normal(size=rows)),
        rng.permutation(10 * rows)[:rows],  # whole, all different, in no order
        np.sort(rng.permutation(10 * rows)[:rows]),  # sorted by it, in steps of any size
        rng.poisson(5, rows),
        np.arange(rows) // 2,
    ):
        assert numbered("population", numbers) == []


@pytest.mark.parametrize("name", ["customer_id", "ID", "userId", "Order ID", "uuid"])
def test_different_whole_numbers_that_are_named_as_identifiers_are(name: str) -> None:
    numbers = np.random.default_rng(6).permutation(10_000)[:300]
    assert len(numbered(name, numbers)) == 1
    assert numbered(name, numbers // 100) == [], "which come again"
    assert numbered("humid", numbers) == []


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
