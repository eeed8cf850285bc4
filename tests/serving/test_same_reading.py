"""Reading rows by columns equals reading them value by value, for every notation: the same bodies are accepted, the tensors
have the same bits, and the same values are refused."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving.codecs import instances, json_lines
from service.serving.codecs.input_values import from_values, largest_number, number_block
from service.serving.codecs.instances import check_names
from service.workflow.encode import raw_features
from service.workflow.errors import InvalidInstances
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec_base import MOST_FAULTS, MOST_SEARCHES
from service.workflow.tasks import Task
from tests.serving.formats import of_tables

from_body, from_document = of_tables(instances.from_body), of_tables(instances.from_document)
read_lines = of_tables(json_lines.read)

KINDS: tuple[Any, ...] = ("number", "boolean", "category", "datetime")
VALUES = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from(
        [0, 1, 1.0, -0.0, 3.5e38, 2**53 + 1, "", " ", "1", "1.0", "true", "a", "2020-01-01T10:20:30Z", "yesterday", []]
    )
)
PLAIN = st.floats(-3e38, 3e38) | st.integers(-9, 9) | st.none()


def described(kinds: list[Any], *, exact: bool = False) -> Signature:
    inputs = [
        Input(
            name=f"x{i}",
            type=kind,
            categories=["1", "a"] if kind == "category" else None,
            dtype="float64" if exact else None,
        )
        for i, kind in enumerate(kinds)
    ]
    return Signature(task=Task("regression"), inputs=inputs, outputs=[Output(name="y", type="number")])


@st.composite
def tables(draw: st.DrawFn) -> tuple[Signature, list[list[Any]]]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4) | st.just(["number"] * 3))
    rows = draw(
        st.lists(
            st.lists(draw(st.sampled_from([VALUES, PLAIN])), min_size=len(kinds), max_size=len(kinds)),
            min_size=1,
            max_size=6,
        )
    )
    return described(kinds, exact=draw(st.booleans())), rows


def value_by_value(
    signature: Signature, rows: list[list[Any]], missing_allowed: bool
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """The tensor read value by value, and the places of refused values."""
    parts, wrong = [], []
    most = largest_number(signature.inputs)
    for i, row in enumerate(rows):
        columns = {}
        for k, (of, value) in enumerate(zip(signature.inputs, row, strict=True)):
            columns[of.name], faults = from_values(of, [value], most)
            one = columns[of.name]
            missing = bool(np.isnan(one[0])) if isinstance(one, np.ndarray) else int(one.codes[0]) < 0
            if faults or (missing and not missing_allowed):
                wrong.append((i, k))
        parts.append(raw_features(signature.inputs, columns))
    return torch.cat(parts), wrong


@settings(deadline=None, max_examples=300)
@given(tables(), st.booleans())
def test_reading_by_columns_equals_reading_by_values(
    table: tuple[Signature, list[list[Any]]], missing_allowed: bool
) -> None:
    signature, rows = table
    names = [each.name for each in signature.inputs]
    expected, wrong = value_by_value(signature, rows, missing_allowed)
    records = [dict(zip(names, row, strict=True)) for row in rows]
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    lines = b"\n".join(map(orjson.dumps, records))
    named = {(i, k): f"/{i}/{names[k]}" for i, k in wrong}
    ways: list[tuple[Callable[[], torch.Tensor], list[str] | None]] = [
        (lambda: from_body(signature, {"instances": rows}, missing_allowed), [f"/instances/{i}/{k}" for i, k in wrong]),
        (lambda: from_document(signature, rows, missing_allowed), [f"/{i}/{k}" for i, k in wrong]),
        (lambda: from_body(signature, {"instances": records}, missing_allowed), [f"/instances{each}" for each in named.values()]),
        (lambda: from_body(signature, {"instances": [{**each, "y": 1} for each in records]}, missing_allowed), None),
        (lambda: from_body(signature, {"inputs": columns}, missing_allowed), [f"/inputs/{names[k]}/{i}" for i, k in wrong]),
        (lambda: read_lines(lines, signature, missing_allowed), None if b"[" in lines else list(named.values())),
    ]  # fmt: skip
    for read, pointers in ways:
        try:
            found = read()
        except InvalidInstances as error:
            assert wrong, error
            assert pointers is None or [fault.pointer for fault in error.faults] == pointers[:MOST_FAULTS]
        else:
            assert not wrong
            assert found.dtype == expected.dtype and found.shape == expected.shape
            assert found.numpy().tobytes() == expected.numpy().tobytes()


@settings(deadline=None)
@given(
    st.lists(VALUES | st.just(math.nan) | st.just(10**400), min_size=1, max_size=5),
    st.sampled_from(["number", "boolean"]),
)
def test_a_block_accepts_only_what_its_values_allow(values: list[Any], kind: Any) -> None:
    of = Input(name="x", type=kind)
    found = number_block(kind, [values], largest_number([of]))
    if found is not None:
        column, wrong = from_values(of, values, largest_number([of]))
        assert not wrong
        np.testing.assert_array_equal(found[0], np.asarray(column))


XZ = described(["number", "number"])


def test_errors_are_in_the_order_of_the_rows() -> None:
    rows = [{"x0": 1, "x1": 2}, {"x0": "a", "x1": True}, [1], {"x0": 1}, 5, {"x0": 1, "x1": 2, "z": 3}, [None, "b"]]
    with pytest.raises(InvalidInstances) as caught:
        from_body(XZ, {"instances": rows}, missing_allowed=False)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/instances/1/x0", "/instances/1/x1", "/instances/2", "/instances/3/x1", "/instances/4", "/instances/5/z",
        "/instances/6/0", "/instances/6/1",
    ]  # fmt: skip


def test_reports_and_suggestions_for_unknown_names_are_bounded() -> None:
    wide = described(["number"] * 300)
    unknown = {f"{'long' * 50}{i}": 1 for i in range(1000)}
    for body in ({"instances": [unknown]}, {"instances": [{each: 1} for each in unknown]}, {"inputs": unknown}):
        with pytest.raises(InvalidInstances) as caught:
            from_body(wide, body, missing_allowed=False)
        faults = [fault for fault in caught.value.faults if "no input" in fault.message]
        assert len(caught.value.faults) == MOST_FAULTS
        assert sum("known:" in fault.message for fault in faults) <= MOST_SEARCHES
    with pytest.raises(InvalidInstances) as caught:
        check_names(wide, unknown)
    assert len(caught.value.faults) == MOST_FAULTS


def test_float64_accepts_larger_numbers() -> None:
    exact = described(["number"], exact=True)
    for body in ({"instances": [[1e300]]}, {"instances": [{"x0": 1e300}]}, {"inputs": {"x0": [1e300]}}):
        found = from_body(exact, body, False)
        assert found.dtype == torch.float64 and found.item() == 1e300
        with pytest.raises(InvalidInstances, match="float32"):
            from_body(described(["number"]), body, False)
    with pytest.raises(InvalidInstances, match="float64"):
        from_body(exact, {"instances": [[10**400]]}, False)


ONE_ROW: list[Any] = [
    {"instances": {"x0": 1, "x1": 2}}, {"x0": 1, "x1": 2}, [[1, 2]], [{"x0": 1, "x1": 2}], {"x1": 2, "x0": 1, "y": 0},
    {"instances": [[1, 2]]}, {"inputs": {"x0": 1, "x1": 2}},
]  # fmt: skip


@pytest.mark.parametrize("document", ONE_ROW, ids=str)
def test_one_row_without_an_envelope(document: Any) -> None:
    assert from_document(XZ, document, False).tolist() == [[1, 2]]


WRONG: list[tuple[Any, list[str]]] = [
    ([], [""]), ({}, [""]), (1, [""]), ("instances", [""]), (None, [""]), ([1, 2], ["/0", "/1"]), ([[1, "a"]], ["/0/1"]),
    ({"x0": 1}, ["/x1"]), ({"x0": 1, "x1": "a"}, ["/x1"]), ({"x0": 1, "x1": 2, "instances": []}, ["/x0"]),
    ({"instances": {"x0": 1}}, ["/instances/x1"]), ({"instances": 1}, ["/instances"]), ({"instances": {}, "inputs": {}}, [""]),
]  # fmt: skip


@pytest.mark.parametrize(("document", "pointers"), WRONG, ids=str)
def test_errors_without_an_envelope(document: Any, pointers: list[str]) -> None:
    with pytest.raises(InvalidInstances) as caught:
        from_document(XZ, document, False)
    assert [fault.pointer for fault in caught.value.faults] == pointers


def test_a_misspelt_name_of_the_envelope() -> None:
    with pytest.raises(InvalidInstances, match="did you mean 'instances'"):
        from_document(XZ, {"instance": [[1, 2]]}, False)
    assert from_document(described(["number"]), [1, 2.5], False).tolist() == [[1], [2.5]]


def test_an_empty_text_is_a_missing_value_for_every_type() -> None:
    every = described(list(KINDS))
    for text in ("", "  "):
        assert from_body(every, {"instances": [[text] * 4]}, True).isnan().all()
        with pytest.raises(InvalidInstances) as caught:
            from_body(every, {"instances": [[text] * 4]}, False)
        assert len(caught.value.faults) == 4
