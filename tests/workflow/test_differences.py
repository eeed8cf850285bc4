"""The differences of two documents, and the distances of tensors."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from service.workflow.differences import ABSENT, MOST, differences
from service.workflow.distances import VALUES_AT_ONCE, distances

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "/", "~", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)


def value_at(document: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer refers to."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(name)] if isinstance(document, list) else document[name]
        except (KeyError, IndexError):
            return ABSENT
    return document


@given(JSON, JSON)
def test_each_pointer_leads_to_both_values(a: Any, b: Any) -> None:
    found, whole = differences(a, b)
    assert whole
    assert (found == []) == (differences(b, a)[0] == [])
    for each in found:
        assert (each.get("a", ABSENT), each.get("b", ABSENT)) == (
            value_at(a, each["pointer"]),
            value_at(b, each["pointer"]),
        )
    if not found:
        assert a == b


@given(JSON)
def test_a_document_does_not_differ_from_itself(document: Any) -> None:
    assert differences(document, document) == ([], True)


def test_true_is_not_one_but_one_is_a_float() -> None:
    assert differences([True, 1], [1, 1.0])[0] == [{"pointer": "/0", "a": True, "b": 1}]


def test_a_long_list_is_compared_in_slices() -> None:
    rows = [{"x": number, "y": True} for number in range(5000)]
    changed = [*rows[:4321], {"x": 4321, "y": 1}, *rows[4322:4999]]
    found, whole = differences({"records": rows}, {"records": changed})
    assert whole and found == [
        {"pointer": "/records/4321/y", "a": True, "b": 1},
        {"pointer": "/records/4999", "a": {"x": 4999, "y": True}},
    ]


def test_the_number_and_the_size_of_differences_are_bounded() -> None:
    found, whole = differences({"x": [1] * 5000, "z": None}, {"x": [2] * 5000, "z": {"a": list(range(2000))}})
    assert (len(found), whole) == (MOST, False)
    assert differences({}, {"z": list(range(2000))})[0] == [{"pointer": "/z", "b": "a list of 2000"}]


def test_distances_of_large_tensors(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    count = 2 * VALUES_AT_ONCE + 17
    a = {
        "wide": torch.randn(1, count, generator=generator),
        "half": torch.randn(5, generator=generator).to(torch.bfloat16),
        "count": torch.tensor(3),
        "none": torch.empty(0, 4),
        "bool": torch.tensor([True, False]),
        "huge": torch.full((4,), 1e300, dtype=torch.float64),
        "infinite": torch.tensor([math.inf]),
        "shape": torch.zeros(2, 3),
    }
    b = {name: tensor.clone() for name, tensor in a.items()}
    b["wide"] += torch.randn(1, count, generator=generator)
    b["half"] += 1
    b["count"] += 4
    b["bool"][0] = False
    b["huge"] *= -1
    b["shape"] = torch.zeros(3, 2)
    save_file(a, tmp_path / "a")
    save_file(b, tmp_path / "b")
    pauses: list[None] = []
    found = {each["name"]: each for each in distances(tmp_path / "a", tmp_path / "b", lambda: pauses.append(None))}
    change = (b["wide"].double() - a["wide"].double()).numpy()
    assert found["wide"]["l2"] == pytest.approx(np.linalg.norm(change), rel=1e-12)
    assert found["wide"]["max"] == np.abs(change).max()
    assert found["half"]["a"] == {"shape": [5], "dtype": "bfloat16"}
    assert found["half"]["l2"] == pytest.approx((b["half"].double() - a["half"].double()).norm().item())
    assert (found["count"]["l2"], found["none"]["l2"], found["bool"]["max"]) == (4, 0, 1)
    assert found["huge"]["l2"] == pytest.approx(4e300)
    assert (found["infinite"]["l2"], found["infinite"]["reason"]) == (
        None,
        "not every value, or not every difference, is finite",
    )
    assert (found["shape"]["l2"], found["shape"]["reason"]) == (None, "the shapes differ")
    assert len(pauses) == 3 + 5
