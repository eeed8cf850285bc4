"""References, counts of rows in their bins, and the comparison of both."""

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.workflow.binning import Binning
from service.workflow.drift import LEVEL, chi_squared, compare, holm, psi
from service.workflow.reference import MOST_BINS, ColumnReference, Reference
from service.workflow.reference_fit import reference_of
from service.workflow.signature import Signature
from service.workflow.split import Split

NUMBERS = st.floats(width=32)
TABLES = arrays.arrays(np.float32, st.tuples(st.integers(1, 60), st.just(2)), elements=NUMBERS)
COUNTS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=25)


def signature(columns: int = 2, classes: list[str] | None = None) -> Signature:
    """Numbers and a category as inputs; a number, or one of some classes, as the answer."""
    numbers = [{"name": f"x{at}", "type": "number"} for at in range(columns)]
    category = {"name": "colour", "type": "category", "categories": ["blue", "green", "red"]}
    output = {"name": "y", "type": "number" if classes is None else "class", "classes": classes}
    task = "regression" if classes is None else "multiclass"
    return Signature.model_validate({"task": task, "inputs": [*numbers, category], "outputs": [output]})


def made(raw: Any, answers: Any, of: Signature) -> Reference:
    """The reference of these rows, half of which are the validation part."""
    rows = torch.arange(len(raw))
    parts = cast(Split, SimpleNamespace(train=rows, validation=rows[: len(rows) // 2]))
    return reference_of(of, torch.from_numpy(raw), torch.from_numpy(answers), parts)


def with_category(numbers: Any, seed: int = 0) -> Any:
    """The numbers, and codes of categories, of which 0 is unknown."""
    codes = np.random.default_rng(seed).integers(0, 4, (len(numbers), 1))
    return np.concatenate([numbers, codes], axis=1).astype(np.float32)


@given(table=TABLES, cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=60, deadline=None)
def test_counts_do_not_depend_on_how_rows_are_split_into_batches(table: Any, cuts: list[int]) -> None:
    raw, answers = with_category(table), table[:, :1]
    reference = made(raw, answers, signature())
    binning = Binning(signature(), reference)
    whole = binning.count(raw, answers)
    bounds = sorted({0, *(min(cut, len(raw)) for cut in cuts), len(raw)})
    pieces = [binning.count(raw[a:b], answers[a:b]) for a, b in pairwise(bounds)]
    assert np.array_equal(np.sum(pieces, axis=0), whole)
    for column, counts in zip([*reference.inputs, *reference.answers], binning.split(whole), strict=True):
        assert sum(counts) == len(raw)
        assert len(column.counts) <= MOST_BINS
    for column, counts in zip(reference.inputs, binning.split(whole), strict=False):
        assert column.cells == counts  # the rows of the training part are those of the reference


def test_a_reference_has_missing_and_unknown_values_and_open_ends() -> None:
    numbers = np.arange(200, dtype=np.float32).reshape(100, 2)
    numbers[:10, 0] = np.nan
    raw = with_category(numbers)
    reference = made(raw, numbers[:, 1:], signature())
    assert (reference.answers_part, reference.left_out) == ("validation", 0)
    assert [each.missing for each in reference.inputs] == [10, 0, 0]
    assert reference.inputs[2].unknown == (raw[:, 2] == 0).sum()
    assert reference.inputs[1].counts[0] == reference.inputs[1].counts[-1] == 0
    outside = np.array([[-1e9, 1e9, 7], [np.inf, -np.inf, np.nan]], np.float32)
    binning = Binning(signature(), reference)
    first, second, colour, _ = binning.split(binning.count(outside, outside[:, :1]))
    assert (first[0], first[-3], second[0], second[-3]) == (1, 1, 1, 1)
    assert colour[-3:] == [1, 1, 0]  # a code beyond all is one of the others


def test_the_answers_of_classes_are_counted_by_the_most_probable_one() -> None:
    of = signature(classes=["a", "b", "c"])
    answers = np.array([[0.1, 0.8, 0.1]] * 30 + [[0.6, 0.3, 0.1]] * 30, np.float32)
    found = made(with_category(np.zeros((60, 2), np.float32)), answers, of).answers[0]
    assert (found.codes, found.counts) == ([1, 2, 3], [0, 30, 0, 0])  # of the first half, the validation part
    assert found.rows == 30


@given(COUNTS)
@settings(deadline=None)
def test_the_psi_is_symmetric_and_not_negative(counts: list[tuple[int, int]]) -> None:
    a, b = zip(*counts, strict=True)
    assert psi(a, b) == pytest.approx(psi(b, a))
    assert psi(a, b) >= -1e-12 and psi(a, a) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(30, 300), st.integers(30, 300)), min_size=3, max_size=3))
@settings(deadline=None)
def test_the_statistic_is_pearsons_and_with_three_cells_its_p_value_has_a_closed_form(
    counts: list[tuple[int, int]],
) -> None:
    a, b = zip(*counts, strict=True)
    total = sum(a) + sum(b)
    expected = [(side, sum(ours) * (x + y) / total) for ours in (a, b) for side, x, y in zip(ours, a, b, strict=True)]
    statistic, degrees, p = chi_squared(a, b)
    if min(each for _, each in expected) >= 5:
        assert statistic == pytest.approx(sum((seen - each) ** 2 / each for seen, each in expected), abs=1e-9)
        assert degrees == 2 and p == pytest.approx(math.exp(-statistic / 2), rel=1e-9)


def test_rare_cells_are_taken_together() -> None:
    assert chi_squared([100, 1, 1, 1], [100, 1, 1, 1])[1] == 0  # three expected in each sample: too few even together
    statistic, degrees, _ = chi_squared([100, 2, 2, 2], [100, 2, 2, 2])
    assert statistic == pytest.approx(0) and degrees == 1
    assert chi_squared([0, 0], [0, 0]) == (0, 0, 1)


@given(COUNTS)
@settings(deadline=None)
def test_any_counts_have_a_p_value(counts: list[tuple[int, int]]) -> None:
    statistic, degrees, p = chi_squared(*zip(*counts, strict=True))
    assert statistic >= 0 and 0 <= p <= 1 and 0 <= degrees < len(counts)


def test_p_values_are_corrected_by_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_shift_of_half_a_deviation_is_found_and_chance_is_not() -> None:
    draw = np.random.default_rng(7)
    of = Signature.model_validate(
        {
            "task": "regression",
            "inputs": [{"name": f"x{at}", "type": "number"} for at in range(20)],
            "outputs": [{"name": "y", "type": "number"}],
        }
    )
    raw = draw.standard_normal((2000, 20)).astype(np.float32)
    reference = made(raw, raw[:, :1], of)
    binning, columns = Binning(of, reference), [*reference.inputs, *reference.answers]
    alarms = found = 0
    for _ in range(100):
        window = draw.standard_normal((1000, 20)).astype(np.float32)
        answers = draw.standard_normal((1000, 1)).astype(np.float32)
        alarms += any(each.drifted for each in compare(columns, binning.split(binning.count(window, answers))))
        window[:, 4] += 0.5
        shifted = compare(columns, binning.split(binning.count(window, answers)))
        found += shifted[4].drifted
    assert alarms <= 1 and found == 100
    assert shifted[4].p_value < LEVEL and shifted[4].psi == pytest.approx(0.25, abs=0.12)


@pytest.mark.parametrize(
    "fields",
    [
        {"counts": [1]},
        {"edges": [1.0], "codes": [1], "counts": [1, 1]},
        {"edges": [1.0, 1.0], "counts": [1, 1, 1]},
        {"edges": [1.0], "counts": [1]},
        {"edges": [1.0], "counts": [1, -1]},
        {"codes": [0], "counts": [1, 1]},
        {"edges": [float("nan")], "counts": [1, 1]},
        {"edges": [*range(20)], "counts": [1] * 21},
    ],
)
def test_a_column_that_a_bundle_should_not_have_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ColumnReference.model_validate({"name": "x", **fields})


def test_a_reference_has_the_columns_of_the_signature() -> None:
    column = {"name": "x0", "edges": [1.0], "counts": [1, 1]}
    for inputs, left_out in (([column, column], 1), ([{**column, "name": "z"}], 2), ([column], 0)):
        about = {"inputs": inputs, "answers": [], "answers_part": "train", "left_out": left_out}
        with pytest.raises(ValueError, match="/reference/"):
            Reference.model_validate(about).check(signature())
