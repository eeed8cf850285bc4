"""Encoders are fitted on the training part only, and encode rows alike in predictions and trainings."""

import math
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow import preprocessing
from service.workflow.data.table import RequestedColumn, Table
from service.workflow.data.types.category import MOST_CATEGORIES
from service.workflow.data.values import column
from service.workflow.encode import fit_inputs, raw_features, raw_width, unknown_categories
from service.workflow.signature import Input

INPUTS = [
    Input(name="n", type="number"),
    Input(name="c", type="category"),
    Input(name="t", type="datetime"),
    Input(name="b", type="boolean"),
]
NUMBERS = st.none() | st.floats(-1e6, 1e6, width=32)
WORDS = st.none() | st.sampled_from(["red", "green", "blue", "ünïcode", ""])
TIMES = st.none() | st.datetimes().map(lambda each: each.isoformat()) | st.dates().map(lambda each: each.isoformat())
RECORDS = st.lists(
    st.fixed_dictionaries({"n": NUMBERS, "c": WORDS, "t": TIMES, "b": st.none() | st.booleans()}),
    min_size=2,
    max_size=40,
)


def table(records: list[dict[str, Any]]) -> Table:
    return Table(
        {each.name: column([record[each.name] for record in records], RequestedColumn(each.type)) for each in INPUTS}
    )


def encoded(records: list[dict[str, Any]], train: int, normalize: bool) -> tuple[Any, torch.Tensor, list[Input]]:
    whole = table(records)
    inputs = fit_inputs(INPUTS, whole, torch.arange(train))
    raw = raw_features(inputs, whole.columns)
    fitted = preprocessing.fit(preprocessing.layout(inputs), raw[:train], normalize)
    assert fitted is not None
    return fitted, fitted(raw), inputs


@given(RECORDS, st.booleans())
@settings(deadline=None)
def test_a_single_row_is_encoded_as_in_its_table(records: list[dict[str, Any]], normalize: bool) -> None:
    fitted, together, inputs = encoded(records, len(records), normalize)
    for row, record in enumerate(records):
        alone = fitted(raw_features(inputs, table([record]).columns))
        assert torch.equal(alone[0], together[row])
    assert together.isfinite().all()
    assert together.shape[1] == fitted.width


@given(RECORDS, RECORDS)
@settings(deadline=None)
def test_encoders_are_fitted_on_the_training_part_only(
    records: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    count = len(records)
    alone, _, inputs = encoded(records, count, True)
    beside, _, same_inputs = encoded(records + others, count, True)
    assert inputs == same_inputs
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, beside.state_dict()[name]), name


def test_unknown_categories_are_zeros_and_counted() -> None:
    records = [{"n": 1.0, "c": word, "t": None, "b": None} for word in ("red", "blue", "red", "green")]
    fitted, together, inputs = encoded(records, 2, False)
    assert inputs[1].categories == ["blue", "red"]
    raw = raw_features(inputs, table(records).columns)
    assert unknown_categories(inputs, raw) == 1
    assert together[3, -2:].tolist() == [0.0, 0.0]
    assert together[0, -2:].tolist() == [0.0, 1.0]
    assert fitted.width == together.shape[1]


def test_the_rarest_of_too_many_categories_are_unknown() -> None:
    words = [f"w{i:04d}" for i in range(MOST_CATEGORIES + 50)]
    values = [*words, *words[50:]]
    only = [Input(name="c", type="category")]
    whole = Table({"c": column(values, RequestedColumn("category"))})
    fitted = fit_inputs(only, whole, torch.arange(len(values)))
    assert fitted[0].categories == sorted(words[50:])


def test_missing_numbers_are_filled_with_the_mean_and_flagged() -> None:
    raw = torch.tensor([[1.0, 5.0], [math.nan, 5.0], [3.0, 5.0]])
    fitted = preprocessing.fit(preprocessing.layout([*INPUTS[:1], Input(name="m", type="number")]), raw, True)
    assert fitted is not None
    assert fitted.fill.tolist() == [2.0, 5.0]
    assert fitted.indicated.tolist() == [0]
    assert fitted(raw)[:, 2].tolist() == [0.0, 1.0, 0.0]
    assert fitted(raw)[:, 1].tolist() == [
        0.0,
        0.0,
        0.0,
    ]  # a constant column is not divided by its standard deviation of 0


def test_times_are_distinguished_to_the_second() -> None:
    only = [Input(name="t", type="datetime")]
    times = ["2024-06-01T12:00:00", "2024-06-01T12:00:10", "2024-06-01T12:00:00+02:00", "2024-06-01"]
    raw = raw_features(only, {"t": column(times, RequestedColumn("datetime"))})
    assert raw.shape == (4, raw_width(only))
    assert len({tuple(row) for row in raw.tolist()}) == 4
    assert np.isfinite(raw.numpy()).all()
