"""Instances: every notation of rows gives the same tensor; every error names its row and column."""

import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving.codecs import instances
from service.workflow.errors import InvalidInstances
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec_base import MOST_FAULTS
from service.workflow.tasks import Task
from tests.serving.formats import of_tables

from_body, from_texts = of_tables(instances.from_body), of_tables(instances.from_texts)

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
NAMES = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True)


def signature(*names: str) -> Signature:
    inputs = [Input(name=name, type="number") for name in names]
    return Signature(task=Task("regression"), inputs=inputs, outputs=[Output(name="the target", type="number")])


@st.composite
def tables(draw: st.DrawFn) -> tuple[Signature, list[list[Any]]]:
    names = draw(NAMES)
    row = st.lists(NUMBERS | st.none(), min_size=len(names), max_size=len(names))
    return signature(*names), draw(st.lists(row, min_size=1, max_size=6))


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal to the bit, NaN for NaN."""
    return one.shape == other.shape and bool(torch.equal(one.view(torch.int32), other.view(torch.int32)))


@settings(deadline=None)
@given(tables())
def test_lists_records_columns_and_query_give_the_same_tensor(table: tuple[Signature, list[list[Any]]]) -> None:
    described, rows = table
    names = [each.name for each in described.inputs]
    expected = torch.tensor([[math.nan if each is None else each for each in row] for row in rows])
    records = [dict(zip(names, row, strict=True)) for row in rows]
    columns = {name: [record[name] for record in records] for name in reversed(names)}
    texts = {name: ["" if each is None else json.dumps(each) for each in column] for name, column in columns.items()}
    assert same(from_body(described, {"instances": rows}, True), expected.float())
    assert same(from_body(described, {"instances": records}, True), expected.float())
    assert same(from_body(described, {"inputs": columns}, True), expected.float())
    assert same(from_texts(described, texts, True), expected.float())
    with_target = [{**record, "the target": "ignored"} for record in records]
    assert same(from_body(described, {"instances": with_target}, True), expected.float())


def test_a_bare_number_is_a_row_of_a_single_input() -> None:
    assert from_body(signature("x"), {"instances": [1, 2.5]}, False).tolist() == [[1], [2.5]]
    assert from_body(signature("x"), {"inputs": {"x": 1}}, False).tolist() == [[1]]


X, XZ = signature("x"), signature("x", "a/b~c")
WRONG: list[tuple[Signature, Any, list[str]]] = [
    (X, [], [""]),
    (X, None, [""]),
    (X, "instances", [""]),
    (X, {}, [""]),
    (X, {"instances": [1], "inputs": {"x": [1]}}, [""]),
    (X, {"instances": [1], "instance": [1]}, ["/instance"]),
    (X, {"a/b": 1}, ["/a~1b"]),
    (X, {"instances": []}, ["/instances"]),
    (X, {"instances": {}}, ["/instances"]),
    (X, {"instances": 1}, ["/instances"]),
    (X, {"instances": [1, "2"]}, ["/instances/1"]),
    (X, {"instances": [True]}, ["/instances/0"]),
    (X, {"instances": [None]}, ["/instances/0"]),
    (X, {"instances": [1e39]}, ["/instances/0"]),
    (X, {"instances": [[10**400]]}, ["/instances/0/0"]),
    (X, {"instances": [[-1e39]]}, ["/instances/0/0"]),
    (X, {"instances": [[1], []]}, ["/instances/1"]),
    (X, {"instances": [[1, 2]]}, ["/instances/0"]),
    (X, {"instances": [[[1]]]}, ["/instances/0/0"]),
    (X, {"instances": [{}]}, ["/instances/0/x"]),
    (X, {"instances": [{"x": 1}, {"X": 1}]}, ["/instances/1/X", "/instances/1/x"]),
    (XZ, {"instances": [1]}, ["/instances/0"]),
    (XZ, {"instances": [[1, 2], [1, "a"], ["b", 2]]}, ["/instances/1/1", "/instances/2/0"]),
    (XZ, {"instances": [{"x": 1, "a/b~c": "2"}]}, ["/instances/0/a~1b~0c"]),
    (X, {"inputs": []}, ["/inputs"]),
    (X, {"inputs": {}}, ["/inputs/x"]),
    (X, {"inputs": {"x": []}}, ["/inputs"]),
    (X, {"inputs": {"x": [1, None, "a"]}}, ["/inputs/x/1", "/inputs/x/2"]),
    (X, {"inputs": {"x": {"a": 1}}}, ["/inputs/x/0"]),
    (X, {"inputs": {"x": [1], "z": [1]}}, ["/inputs/z"]),
    (XZ, {"inputs": {"x": [1, 2], "a/b~c": [1]}}, ["/inputs/a~1b~0c"]),
]


@pytest.mark.parametrize(("described", "body", "pointers"), WRONG)
def test_errors_have_a_pointer(described: Signature, body: Any, pointers: list[str]) -> None:
    with pytest.raises(InvalidInstances) as caught:
        from_body(described, body, missing_allowed=False)
    assert [fault.pointer for fault in caught.value.faults] == pointers
    assert all(fault.message for fault in caught.value.faults)


@pytest.mark.parametrize("text", ["a", "1_000", "٣", "nan", "inf", "-Infinity", "1e39", "0x1", "1,5", "1 2", ""])
def test_a_text_in_place_of_a_number(text: str) -> None:
    with pytest.raises(InvalidInstances) as caught:
        from_texts(X, {"x": ["1", text]}, missing_allowed=False)
    assert [fault.pointer for fault in caught.value.faults] == ["/x/1"]


@pytest.mark.parametrize("body", [{"instances": [["a"]] * 5000}, {"inputs": {"x": ["a"] * 5000}},
                                  {"instances": [{"z": 1}] * 5000}])  # fmt: skip
def test_the_number_of_reported_errors_is_bounded(body: Any) -> None:
    with pytest.raises(InvalidInstances) as caught:
        from_body(X, body, missing_allowed=True)
    assert len(caught.value.faults) == MOST_FAULTS


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
                    max_leaves=8))  # fmt: skip
def test_any_json_is_a_tensor_or_an_error(value: Any) -> None:
    for body in (value, {"instances": value}, {"inputs": value}, {"inputs": {"x": value}}, {"instances": [value]}):
        try:
            assert from_body(X, body, missing_allowed=True).shape[1] == 1
        except InvalidInstances as error:
            assert error.faults
