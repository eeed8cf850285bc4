"""Splits are disjoint, complete and reproducible, and their parts have the requested sizes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table, Texts
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.parts import PARTS
from service.workflow.split import Split, SplitSpec, resolve, sizes, split

ROWS = st.integers(min_value=8, max_value=300)
SHARES = st.tuples(*[st.integers(0, 20)] * 3).filter(lambda each: each[0] > 4)


def table(rows: int, groups: int = 4) -> Table:
    codes = (np.arange(rows) * 7 % groups).astype(np.int32)
    return Table(
        {
            "x": np.arange(rows, dtype=np.float32),
            "group": Texts(codes, [f"g{i}" for i in range(groups)]),
            "time": np.arange(rows, 0, -1).astype(np.float64),
            "part": Texts((np.arange(rows) % 3).astype(np.int32), list(PARTS)),
        }
    )


def schema(rows: int, groups: int = 4) -> Schema:
    counts = [len(range(i, rows, 3)) for i in range(3)]
    return Schema(
        rows=rows,
        columns=[
            Column(name="x", type="number"),
            Column(name="group", type="category", values=[f"g{i}" for i in range(groups)]),
            Column(name="time", type="datetime"),
            Column(name="part", type="category", values=list(PARTS), counts=counts),
        ],
    )


def rows_of(made: Split) -> list[int]:
    return [row for name in PARTS for row in made.part(name).tolist()]


def spec(shares: tuple[int, int, int], **more: Any) -> SplitSpec:
    total = sum(shares)
    parts: dict[str, Any] = {name: share / total for name, share in zip(PARTS, shares, strict=True)}
    return SplitSpec(**parts, **more)


@given(ROWS, SHARES, st.booleans(), st.sampled_from([None, "stratify", "group", "time", "column"]), st.integers(0, 9))
def test_every_row_is_in_exactly_one_part(
    rows: int, shares: tuple[int, int, int], shuffle: bool, by: str | None, seed: int
) -> None:
    column = {} if by is None else {by: {"stratify": "group", "column": "part"}.get(by, by)}
    requested = spec(shares, shuffle=shuffle, **column)
    try:
        resolved = resolve(requested, seed, schema(rows))
        made = split(resolved, table(rows))
    except (InvalidSpec, InvalidData):
        return  # a requested part would have no row
    assert sorted(rows_of(made)) == list(range(rows))
    assert made.digests() == split(resolved, table(rows)).digests()
    if by != "group":
        assert {name: len(made.part(name)) for name in PARTS} == sizes(resolved, schema(rows))


@given(ROWS, SHARES)
def test_cuts_are_at_the_rounded_cumulative_fractions(rows: int, shares: tuple[int, int, int]) -> None:
    total = sum(shares)
    fractions = [share / total for share in shares]
    cuts = [round(rows * sum(fractions[: i + 1])) for i in range(3)]
    requested = SplitSpec(train=fractions[0], validation=fractions[1], test=fractions[2])
    try:
        resolved = resolve(requested, 0, schema(rows))
    except InvalidSpec:
        return
    found = sizes(resolved, schema(rows))
    assert [found["train"], found["train"] + found["validation"], rows] == cuts


@given(ROWS, st.integers(2, 6), st.booleans())
def test_a_stratified_split_keeps_the_class_shares(rows: int, groups: int, shuffle: bool) -> None:
    whole = table(rows, groups)
    made = split(resolve(SplitSpec(stratify="group", shuffle=shuffle), 3, schema(rows, groups)), whole)
    column = whole.columns["group"]
    assert isinstance(column, Texts)
    for name in PARTS:
        found = np.bincount(column.codes[made.part(name).numpy()], minlength=groups)
        fair = np.bincount(column.codes, minlength=groups) * len(made.part(name)) / rows
        assert (np.abs(found - fair) <= 2).all()


@given(ROWS, st.integers(0, 5))
def test_a_group_is_never_split(rows: int, seed: int) -> None:
    whole = table(rows, groups=8)
    made = split(resolve(SplitSpec(group="group"), seed, schema(rows, 8)), whole)
    column = whole.columns["group"]
    assert isinstance(column, Texts)
    where = [set(column.codes[made.part(name).numpy()].tolist()) for name in PARTS]
    assert not (where[0] & where[1] or where[0] & where[2] or where[1] & where[2])


def test_a_split_by_time_trains_on_the_past() -> None:
    made = split(resolve(SplitSpec(time="time"), 0, schema(100)), table(100))
    assert made.train.tolist() == list(range(99, 29, -1))
    assert made.test.tolist() == list(range(14, -1, -1))


def test_a_column_can_define_the_split() -> None:
    resolved = resolve(SplitSpec(column="part"), 0, schema(10))
    made = split(resolved, table(10))
    assert made.test.tolist() == [2, 5, 8]
    assert sizes(resolved, schema(10)) == {"train": 4, "validation": 3, "test": 3}


def test_a_split_in_order_and_shuffled() -> None:
    plain = split(resolve(SplitSpec(train=0.8, test=0.2, shuffle=False), 0, schema(50)), table(50))
    assert rows_of(plain) == list(range(50))
    first, second = (split(resolve(SplitSpec(seed=seed), 0, schema(50)), table(50)) for seed in (1, 2))
    assert rows_of(first) != rows_of(second) != list(range(50))


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ({}, (70, 15, 15)),
        ({"test": 0.2}, (80, 0, 20)),
        ({"train": 60, "validation": 40}, (60, 40, 0)),
        ({"test": 30}, (70, 0, 30)),
        ({"train": 1}, (100, 0, 0)),
        ({"train": 0.335, "validation": 0.335, "test": 0.33}, (34, 33, 33)),
    ],
)
def test_default_sizes_of_omitted_parts(requested: dict[str, Any], expected: tuple[int, int, int]) -> None:
    assert tuple(sizes(resolve(SplitSpec(**requested), 0, schema(100)), schema(100)).values()) == expected


@pytest.mark.parametrize(
    ("requested", "pointer"),
    [
        ({"train": 0.5, "test": 0.6}, "/split"),
        ({"train": 0.5}, "/split"),
        ({"train": 60, "test": 60}, "/split"),
        ({"train": 60, "test": 0.4}, "/split/test"),
        ({"train": 0, "test": 1.0}, "/split/train"),
        ({"train": 0.999, "test": 0.001}, "/split/test"),
        ({"stratify": "grup"}, "/split/stratify"),
        ({"stratify": "x"}, "/split/stratify"),
        ({"stratify": "group", "time": "time"}, "/split/time"),
        ({"column": "group"}, "/split/column"),
    ],
)
def test_impossible_splits_are_refused(requested: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        resolve(SplitSpec(**requested), 0, schema(100))
    assert refusal.value.faults[0].pointer == pointer
