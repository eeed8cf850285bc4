"""The state of a training round-trips through JSON and tensors."""

import math
import struct
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.durable_files import sync
from service.workflow.checkpoint_folder import CheckpointFolder
from service.workflow.state import DTYPES, flatten, unflatten
from tests.examples import examples


def same(ours: Any, theirs: Any) -> bool:
    """Whether both are equal in type, order, bits and strides, recursively."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, torch.Tensor):
        alike = (ours.dtype, ours.shape, ours.stride()) == (theirs.dtype, theirs.shape, theirs.stride())
        return alike and flatten_bits(ours) == flatten_bits(theirs)
    if isinstance(ours, float):
        return (math.isnan(ours) and math.isnan(theirs)) or struct.pack("d", ours) == struct.pack("d", theirs)
    return bool(ours == theirs)


def flatten_bits(tensor: torch.Tensor) -> list[int]:
    bits: list[int] = tensor.contiguous().flatten().view(torch.uint8).tolist()
    return bits


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    dtype = draw(st.sampled_from(sorted(DTYPES, key=str)))
    count = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    if dtype is torch.bool:
        made = torch.tensor(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=dtype).view(shape)
    else:
        made = torch.tensor(list(draw(st.binary(min_size=count, max_size=count))), dtype=torch.uint8).view(dtype)
        made = made.view(shape)
    return made.t() if len(shape) == 2 and draw(st.booleans()) else made


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | tensors()
KEYS = st.text() | st.integers()
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(KEYS, max_size=4).map(Counter)
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=examples(200), deadline=None)
def test_a_tree_round_trip(tree: Any) -> None:
    assert same(unflatten(*flatten(tree)), tree)


@given(st.dictionaries(st.text(), TREES, max_size=3))
@settings(max_examples=examples(50), deadline=None)
def test_a_tree_round_trip_through_a_file(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    folder = CheckpointFolder(tmp_path_factory.mktemp("checkpoints"), sync)
    folder.save(tree)
    assert same(folder.load().state, tree)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        {1.5: 1},
        {True: 1},
        defaultdict(list),
        Path("x"),
        len,
        1j,
        torch.zeros(2, dtype=torch.complex128),
        torch.zeros(2, 2).to_sparse(),
    ],
)
def test_unsupported_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        flatten({"deep": [(value,)]})


def test_restored_tensors_share_no_memory(tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    tree = {"whole": whole, "part": whole[2:5], "again": whole, "spread": whole[:1].expand(3), "odd": torch.ones(1)}
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(tree)
    (path,) = tmp_path.iterdir()
    state = folder.load().state
    path.unlink()
    assert state is not None
    assert all(torch.equal(state[name], tree[name]) for name in tree)
    assert len({each.untyped_storage().data_ptr() for each in state.values()}) == len(tree)
    assert all(each.data_ptr() % 64 == 0 for each in state.values())


def test_invalid_json_is_refused() -> None:
    for text in ('{"set": []}', "{}", '{"tensor": "9", "strides": []}', "nonsense"):
        with pytest.raises((ValueError, KeyError)):
            unflatten(text, {})
