"""Headers of safetensors files. The judge is the library: what is accepted here, it accepts with the same tensors."""

import hashlib
import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.torch import load, save

from service.workflow.errors import InvalidData
from service.workflow.tensor_file import DTYPES, from_bytes
from service.workflow.tensor_header import FIRST_BYTES, ITEM_BYTES, TensorHeader, read_header
from tests.examples import examples
from tests.workflow.ranges import Ranges

NAMES = st.text(min_size=1, max_size=5).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(0, 4), max_size=3)


def header_of(data: bytes) -> TensorHeader:
    return read_header(Ranges(data), len(data))


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: list[Any], *offsets: Any, dtype: Any = "F32", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets), **more}


@st.composite
def files(draw: st.DrawFn) -> bytes:
    dtypes = st.sampled_from(sorted(DTYPES.values(), key=str))
    tensors = {
        name: torch.zeros(draw(SHAPES)).to(draw(dtypes)) for name in draw(st.lists(NAMES, max_size=4, unique=True))
    }
    return save(
        tensors, draw(st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=3), min_size=1, max_size=2))
    )


@settings(max_examples=examples(50))
@given(files())
def test_reads_what_the_library_writes(data: bytes) -> None:
    header, tensors = header_of(data), load(data)
    assert header.tensors.keys() == tensors.keys()
    length = 8 + int.from_bytes(data[:8], "little")
    assert header.sha256 == hashlib.sha256(data[:length]).hexdigest()
    for name, place in header.tensors.items():
        read = from_bytes(place, data[place.start : place.stop])
        assert (read.dtype, read.shape, place.count) == (
            tensors[name].dtype,
            tensors[name].shape,
            tensors[name].numel(),
        )
        assert bytes(read.flatten().view(torch.uint8)) == bytes(tensors[name].flatten().view(torch.uint8))


@settings(max_examples=examples(50))
@given(files(), st.data())
def test_a_changed_header_is_refused_or_read_as_by_the_library(data: bytes, draw: st.DataObject) -> None:
    length = 8 + int.from_bytes(data[:8], "little")
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        changed[draw.draw(st.integers(0, length - 1))] = draw.draw(st.sampled_from(b'0123456789{}[],:"-. FI\\\xff\0'))
    try:
        tensors = header_of(bytes(changed)).tensors
    except InvalidData:
        return
    known = deserialize(bytes(changed))  # type: ignore[no-untyped-call]
    expected = {name: (about["dtype"], tuple(about["shape"])) for name, about in known}
    assert {name: (place.dtype, place.shape) for name, place in tensors.items()} == expected


LONG = {"a": entry([1], 0, 4), "__metadata__": {"x": "y" * 2 * FIRST_BYTES}}
WRONG = {
    "an empty file": b"",
    "a file without a length": b"\x02\0\0",
    "a length beyond the file": b"\xff\0\0\0\0\0\0\0{}",
    "a length beyond any file": b"\xff" * 8 + b"{}",
    "no JSON": file_of(b"{"),
    "no object": file_of([]),
    "a space first": file_of(b" {}"),
    "a name twice": file_of(b'{"a":%b,"a":%b}' % ((json.dumps(entry([], 0, 4)).encode(),) * 2), bytes(4)),
    "NaN": file_of(b'{"a":NaN}'),
    "no entry": file_of({"a": 1}),
    "another key": file_of({"a": entry([], 0, 4, more=1)}, bytes(4)),
    "an unknown dtype": file_of({"a": entry([], 0, 4, dtype="F31")}, bytes(4)),
    "a dtype that is a list": file_of({"a": entry([], 0, 4, dtype=["F32"])}, bytes(4)),
    "a shape that is no list": file_of({"a": {**entry([], 0, 4), "shape": 1}}, bytes(4)),
    "a negative size": file_of({"a": entry([-1, -1], 0, 4)}, bytes(4)),
    "a fraction": file_of({"a": entry([1.0], 0, 4)}, bytes(4)),
    "a boolean": file_of({"a": entry([True], 0, 4)}, bytes(4)),
    "three offsets": file_of({"a": entry([], 0, 4, 4)}, bytes(4)),
    "offsets backwards": file_of({"a": entry([], 4, 0)}, bytes(4)),
    "too few bytes for the shape": file_of({"a": entry([2], 0, 4)}, bytes(4)),
    "too many bytes for the shape": file_of({"a": entry([0], 0, 4)}, bytes(4)),
    "offsets beyond the file": file_of({"a": entry([2], 0, 8)}, bytes(4)),
    "a shape that overflows": file_of({"a": entry([2**40, 2**40, 0], 0, 0)}),
    "too many dimensions": file_of({"a": entry([1] * 65, 0, 4)}, bytes(4)),
    "a gap": file_of({"a": entry([], 0, 4), "b": entry([], 8, 12)}, bytes(12)),
    "an overlap": file_of({"a": entry([], 0, 4), "b": entry([], 0, 4)}, bytes(4)),
    "bytes at the end": file_of({"a": entry([], 0, 4)}, bytes(5)),
    "metadata that are no texts": file_of({"__metadata__": {"a": 1}}),
    "metadata that are null": file_of({"__metadata__": None}),
    "a long header that was cut off": file_of(LONG, bytes(4))[: FIRST_BYTES + 5],
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_header_is_refused(what: str) -> None:
    with pytest.raises(InvalidData):
        header_of(WRONG[what])


@given(st.binary(max_size=30))
def test_anything_else_is_refused_as_by_the_library(data: bytes) -> None:
    try:
        header_of(data)
    except InvalidData:
        return
    try:
        deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise AssertionError(data) from error


def test_reads_only_the_header() -> None:
    short, long = file_of({"a": entry([10**6], 0, 4 * 10**6)}, bytes(4 * 10**6)), file_of(LONG, bytes(4))
    for data, most in ((short, [(0, FIRST_BYTES)]), (long, [(0, FIRST_BYTES), (FIRST_BYTES, len(long) - 4)])):
        read = Ranges(data)
        assert [*read_header(read, len(data)).tensors] == ["a"]
        assert read.ranges == most


@settings(max_examples=examples(50))
@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.data(), st.sampled_from(sorted(ITEM_BYTES)))
def test_the_place_of_rows(shape: list[int], draw: st.DataObject, dtype: str) -> None:
    whole = torch.arange(120)[: torch.Size(shape).numel()].reshape(shape).to(DTYPES[dtype])
    first = draw.draw(st.integers(0, shape[0]))
    last = draw.draw(st.integers(first, shape[0]))
    data = save({"before": torch.ones(3), "whole": whole})
    place = header_of(data).tensors["whole"].rows(first, last)
    rows = from_bytes(place, data[place.start : place.stop])
    assert rows.shape == whole[first:last].shape
    assert rows.tolist() == whole[first:last].tolist()
