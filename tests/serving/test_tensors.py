"""P-02: tensors of every datatype round-trip as bytes and JSON, and wrong shapes or lengths are refused cheaply."""

import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.serving.codecs import tensors
from service.serving.codecs.tensors import (
    BF16,
    BOOL,
    BYTES,
    DTYPES,
    FLOATS,
    FP16,
    Tensor,
    check_datatype,
    check_shape,
    from_bytes,
    from_json,
    to_bytes,
)
from service.workflow.errors import InvalidInstances
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.serving.formats import of_tables

raw_rows = of_tables(tensors.raw_rows)

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4))
IN_JSON = sorted(set(DTYPES) - {BF16, FP16})


def signature(*types: Any) -> Signature:
    """A signature with inputs x0, x1, … of these types."""
    inputs = [Input(name=f"x{i}", type=each, categories=["a", "b"]) for i, each in enumerate(types)]
    return Signature(task=Task.REGRESSION, inputs=inputs, outputs=[Output(name="y", type="number")])


@given(st.data(), st.sampled_from(sorted(set(DTYPES) - {BF16})), SHAPES)
def test_numbers_round_trip_as_bytes(data: st.DataObject, datatype: str, shape: tuple[int, int]) -> None:
    values = data.draw(arrays(np.bool_ if datatype == BOOL else DTYPES[datatype], shape))
    body = to_bytes(datatype, values)
    assert len(body) == values.size * DTYPES[datatype].itemsize
    read = np.asarray(from_bytes(datatype, shape, memoryview(body), "")).reshape(shape)
    np.testing.assert_array_equal(read, values)


@given(arrays(np.float32, 7, elements=st.floats(width=32, allow_nan=False)))
def test_bf16_is_the_upper_half_of_a_float32(values: np.ndarray[Any, Any]) -> None:
    upper = (values.view("<u4") >> 16).astype("<u2")
    read = np.asarray(from_bytes(BF16, (7,), memoryview(upper.tobytes()), ""))
    np.testing.assert_array_equal(read.view("<u4"), upper.astype("<u4") << 16)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_texts_round_trip_as_bytes_and_json(texts: list[str]) -> None:
    body = to_bytes(BYTES, texts)
    assert body == b"".join(struct.pack("<I", len(each.encode())) + each.encode() for each in texts)
    assert from_bytes(BYTES, (len(texts),), memoryview(body), "") == texts
    assert from_json(BYTES, (len(texts),), orjson.loads(orjson.dumps(texts)), "") == texts


@given(st.data(), st.sampled_from(IN_JSON), SHAPES, st.booleans())
def test_numbers_round_trip_as_nested_or_flat_json(
    data: st.DataObject, datatype: str, shape: tuple[int, int], nested: bool
) -> None:
    elements = None
    if datatype in FLOATS:
        elements = st.floats(width=32 if datatype == "FP32" else 64, allow_nan=False, allow_infinity=False)
    values = data.draw(arrays(np.bool_ if datatype == BOOL else DTYPES[datatype], shape, elements=elements))
    sent = orjson.loads(orjson.dumps((values if nested else values.reshape(-1)).tolist()))
    np.testing.assert_array_equal(np.asarray(from_json(datatype, shape, sent, "")).reshape(shape), values)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda each: st.lists(each) | each,
    ),
    st.sampled_from([*DTYPES, BYTES]),
    SHAPES,
)
def test_any_json_is_a_tensor_or_refused(sent: Any, datatype: str, shape: tuple[int, int]) -> None:
    try:
        values = from_json(datatype, shape, sent, "")
    except InvalidInstances:
        return
    assert len(values) == math.prod(shape)


@given(st.binary(max_size=64), st.sampled_from([*DTYPES, BYTES]), SHAPES)
def test_any_bytes_are_a_tensor_or_refused(body: bytes, datatype: str, shape: tuple[int, int]) -> None:
    try:
        values = from_bytes(datatype, shape, memoryview(body), "")
    except InvalidInstances:
        return
    assert len(values) == math.prod(shape)


@pytest.mark.parametrize(
    "shape",
    [
        [2**4, 2**60 + 2],
        [-1, 1],
        [0, 1],
        [True, 1],
        [1e18, 1],
        [1, 1.0],
        [1] * 10_000,
        [10**18] * 10_000,
        [],
        "2",
        None,
        [[1]],
        ["1"],
        {},
        [2**63],
    ],
    ids=lambda each: str(each)[:20],
)
def test_wrong_shapes_are_refused_without_allocating(shape: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInstances):
            from_bytes("FP32", check_shape(shape, "/shape"), memoryview(b"\0" * 8), "")
        with pytest.raises(InvalidInstances):
            from_json("FP32", check_shape(shape, "/shape"), [1.0], "")
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("datatype", ["FP8", "fp32", "STRING", "", None, 3, [], {}, "FP32 "])
def test_unknown_datatypes_are_refused(datatype: Any) -> None:
    with pytest.raises(InvalidInstances, match="unknown datatype"):
        check_datatype(datatype, "/datatype")


@pytest.mark.parametrize(
    ("datatype", "value", "message"),
    [
        (FP16, 1.0, "cannot be sent as JSON"),
        (BF16, 1.0, "cannot be sent as JSON"),
        ("INT8", 128, "beyond INT8: -128 to 127"),
        ("UINT8", -1, "beyond UINT8: 0 to 255"),
        ("INT32", 1.5, "whole numbers"),
        ("UINT64", True, "whole numbers"),
        ("FP32", "1", "numbers, not"),
        ("FP64", False, "numbers, not"),
        (BOOL, 2, "beyond BOOL"),
        (BOOL, "true", "true or false"),
        (BYTES, 1, "texts, not"),
        (BYTES, ["a"], "texts, not"),
    ],
)
def test_values_of_another_datatype_are_refused(datatype: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInstances, match=message):
        from_json(datatype, (1,), [value], "/data")


def test_null_is_a_missing_value() -> None:
    whole = from_json("INT32", (2,), [1, None], "")
    np.testing.assert_array_equal(whole, [1, math.nan])
    rows = raw_rows(signature("number"), [Tensor("x0", "INT32", (2,), whole)], True)
    assert rows[0].item() == 1 and rows[1].isnan().item()
    with pytest.raises(InvalidInstances, match="/x0/1: is missing"):
        raw_rows(signature("number"), [Tensor("x0", "INT32", (2,), whole)], False)


def test_one_tensor_of_any_name_or_one_for_each_input() -> None:
    values = np.array([1, 2, 3, 4], np.float32)
    wanted = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    two = signature("number", "number")
    assert torch.equal(raw_rows(two, [Tensor("anything", "FP32", (2, 2), values)], True), wanted)
    columns = [Tensor("x1", "FP32", (2,), values[1::2]), Tensor("x0", "FP32", (2, 1), values[::2])]
    assert torch.equal(raw_rows(two, columns, True), wanted)
    for wrong, message in (
        ([Tensor("anything", "FP32", (4, 1), values)], r"\[rows, 2\] is expected"),
        ([columns[0]], "/x0: is absent"),
        ([*columns, Tensor("x2", "FP32", (2,), values[:2])], "/x2: is no input"),
        ([columns[0], columns[0]], "same name"),
        ([columns[0], Tensor("x0", "FP32", (4,), values)], "is expected, as of every input"),
        ([Tensor("anything", BYTES, (1, 2), ["a", "b"])], "holds texts"),
        ([Tensor("anything", BOOL, (1, 2), np.array([True, False]))], "holds booleans"),
    ):
        with pytest.raises(InvalidInstances, match=message):
            raw_rows(two, wrong, True)


def test_tensors_for_columns_of_every_type() -> None:
    mixed = signature("number", "category", "boolean", "datetime")
    tensors = [
        Tensor("x0", "INT8", (2, 1), np.array([7, -7], np.int8)),
        Tensor("x1", BYTES, (2,), ["b", "never seen"]),
        Tensor("x2", BOOL, (2,), np.array([True, False])),
        Tensor("x3", BYTES, (2,), ["2000-01-01", "2000-01-02T12:00:00Z"]),
    ]
    rows = raw_rows(mixed, tensors, False)
    assert rows[:, 0].tolist() == [7, -7] and rows[:, 1].tolist() == [2, 0] and rows[:, 2].tolist() == [1, 0]
    assert (rows[1, 3] - rows[0, 3]).item() == 1.5
    tensors[3] = Tensor("x3", BYTES, (2,), ["2000-01-01", "yesterday"])
    with pytest.raises(InvalidInstances, match="/inputs/x3/1: expected a date"):
        raw_rows(mixed, tensors, False)
