"""The fast reader accepts a body only where the strict reader reads the same numbers."""

from typing import Any

import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving.codecs import instances
from service.serving.codecs.fast_json import read_fast
from service.serving.codecs.masked_json import FEW, SHORT
from service.strict_json import NotStrictJson, decode_body
from service.workflow.errors import InvalidInstances
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.serving.formats import of_tables

from_body = of_tables(instances.from_body)


def signature(*names: str, kind: Any = "number") -> Signature:
    inputs = [Input(name=name, type=kind) for name in names]
    return Signature(task=Task("regression"), inputs=inputs, outputs=[Output(name="y", type="number")])


X, XZ = signature("x"), signature("x", "z")


def check(body: bytes, described: Signature, missing_allowed: bool = False) -> bool:
    """Whether the fast reader accepts the body; asserts that the strict one then reads the same bits."""
    found = read_fast(body, described, missing_allowed)
    if found is None:
        return False
    expected = from_body(described, decode_body(body), missing_allowed)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert torch.equal(found.view(torch.int32), expected.view(torch.int32))
    return True


PLAIN = [
    (X, b'{"instances":[[1]]}'),
    (X, b'{"instances":[1,2.5,-0.0,-0]}'),
    (X, b'{"instances":[9007199254740993,18446744073709551615,-9223372036854775808,1e-400,4.9e-324]}'),
    (XZ, b' \r\n{ "instances" :\t[ [ 1 , 2 ] , [ 1E+2 , -3e-2 ] ] } \n'),
    (XZ, b'{"inputs": {"z": [1, 2], "x": [0.1, 16777217]}}'),
    (XZ, b'{"inputs": {"\\u0078": [1], "z": [2]}}'),
    (X, b'{"instances":[[3.4028234663852886e38]]}'),
]


@pytest.mark.parametrize(("described", "body"), PLAIN)
def test_the_fast_reader_accepts_plain_bodies(described: Signature, body: bytes) -> None:
    assert check(body, described)


UNUSUAL = [
    b"", b"{}", b"[]", b"1", b'{"instances":[]}', b'{"instances":[[]]}', b'{"instances":[[1,2]}', b'{"instances":[[1,2]]',
    b'{"instances":[[1,2],[3]]}', b'{"instances":[[1,2,3],[4]]}', b'{"instances":[[1],[2,3,4]]}', b'{"instances":[1,2]}',
    b'{"instances":[[1,2],3,4]}', b'{"instances":[[[1,2]]]}', b'{"instances":[[1,[2]]]}', b'{"instances":[[1,2],[]]}',
    b'{"instances":[[1,2],[3,true]]}', b'{"instances":[[1,2],[3,null]]}', b'{"instances":[[1,2],[3,"4"]]}',
    b'{"instances":[[1,2],[3,{}]]}', b'{"instances":[[1,NaN]]}', b'{"instances":[[1,Infinity]]}',
    b'{"instances":[[1,1e400]]}', b'{"instances":[[1,1e39]]}', b'{"instances":[[1,18446744073709551616]]}',
    b'{"instances":[[1,2]]} x', b'{"instances":[[1,2]]}}', b'{"instances":[[1,2]],}', b'{"instances":[[1,2],]}',
    b'\xef\xbb\xbf{"instances":[[1,2]]}', b'{"instances":[[1,2]]}\xff', b'{"instances":[[1,2]],"instances":[[1,2]]}',
    b'{"instances":[[1,2]],"inputs":{}}', b'{"inst\\u0061nces":[[1,2]]}', b'{"instances":[[01,2]]}',
    b'{"instances":[[1.,2]]}', b'{"instances":[[+1,2]]}', b'{"instances":[[1,2]]}\0', b'{"instances":[[1 1,2]]}',
    b'{"instances":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":1,"instances":[[1,2]]}',
    b'{"inputs":{"x":[1],"z":[1],"x":[1]}}', b'{"inputs":{"x":[1],"x":[1]}}', b'{"inputs":{"x":[1],"\\u0078":[1]}}',
    b'{"inputs":{"x":[1],"z":[1,2]}}', b'{"inputs":{"x":[[1]],"z":1}}', b'{"inputs":{"x":1,"z":2}}', b'{"inputs":{}}',
    b'{"inputs":{"x":[1],"\\ud800":[1]}}', b'{"inputs":{"x":[],"z":[]}}', b'{"inputs":{"x":[1],"z":[1]},"inputs":{}}',
    b'{"inputs":{"x":[1],"z":[1],"y":[1]}}', b'{"inputs":{"x":[1],"z":[true]}}', b'{"inputs":[1]}',
]  # fmt: skip


@pytest.mark.parametrize("body", UNUSUAL)
def test_unusual_bodies_are_left_to_the_strict_reader(body: bytes) -> None:
    assert read_fast(body, XZ) is None


def test_columns_of_other_types() -> None:
    assert read_fast(b'{"instances":[[1]]}', signature("x", kind="category")) is None
    assert read_fast(b'{"instances":[[1]]}', signature("x", kind="datetime")) is None
    assert check(b'{"instances":[[1],[0],[-0.0]]}', signature("x", kind="boolean"))
    assert read_fast(b'{"instances":[[2]]}', signature("x", kind="boolean")) is None
    assert read_fast(b'{"instances":[[]]}', signature()) is None


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.sampled_from([2**53 + 1, -0.0, 1e-400])


@settings(deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=3), min_size=1, max_size=4), st.integers(1, 3))
def test_rows_of_numbers(rows: list[list[Any]], width: int) -> None:
    described = signature(*"xzw"[:width])
    for body in ({"instances": rows}, {"inputs": dict(zip("xzw", rows, strict=False))}):
        try:
            written = orjson.dumps(body)
        except TypeError:  # an integer beyond 64 bits
            return
        read = check(written, described)
        regular = "instances" in body and all(len(row) == width for row in rows)
        if regular and all(abs(each) < 3e38 for row in rows for each in row):
            assert read


MIXED = Signature(
    task=Task("regression"),
    inputs=[
        Input(name="n", type="number"),
        Input(name="c", type="category", categories=["1", "a", "é", "much longer than a word of it"], missing=["?"]),
        Input(name="d", type="datetime"),
        Input(name="b", type="boolean"),
    ],
    outputs=[Output(name="y", type="number")],
)
DAY = '"2020-01-01"'
WITH_TEXTS = [
    f'{{"instances": [[1.5, "a", {DAY}, 1], [null, "é", "2021-05-06T07:08:09Z", 0]]}}',
    f'{{"instances":[[-0.0,"much longer than a word of it",{DAY},null],[1,"other",null,1],[2,null,{DAY},0]]}}',
    f'{{"instances": [[1, "1.0", {DAY}, 1], [1, " a ", {DAY}, 1], [1, "?", {DAY}, 0], [1, " ", {DAY}, 0]]}}',
    f'{{"instances": [[1, "]", {DAY}, 1], [1, "],[", {DAY}, 1], [1, "null", {DAY}, 0], [1, "a:{{}}", {DAY}, 0]]}}',
    f'{{"inputs": {{"n": [1, null], "c": ["a", "a"], "d": [{DAY}, null], "b": [null, 1]}}}}',
    f'{{"inputs": {{"b": [0, 1], "d": [{DAY}, {DAY}], "c": [null, "much longer than a word of it"], "n": [null, null]}}}}',
]


@pytest.mark.parametrize("body", WITH_TEXTS)
def test_texts_and_nulls_are_read(body: str) -> None:
    assert check(body.encode(), MIXED, missing_allowed=True)
    assert check(body.encode(), MIXED) == ("null" not in body.replace('"null"', "") and "?" not in body)


def test_many_and_long_texts() -> None:
    """Numbers of texts below and above the limit for pairwise comparison, with some longer ones, and one that is a prefix of
    another."""
    for count in (1, FEW, FEW + 1, 500):
        for text in ("", "éé", "a longer text", "-" * SHORT):
            rows = [[i, f"{text}{i % count}{'x' * (i % 3)}", None, i % 2] for i in range(500)]
            assert check(orjson.dumps({"instances": rows}), MIXED, missing_allowed=True)


NO_TEXTS = [
    '["a", "a", null, 1]', '[1, 1, null, 1]', '[1, true, null, 1]', '[1, "a", null, 2]', '[1, "a", 5, 1]', '[1, "", null, 1]',
    '[1, "a\\n", null, 1]', '[1, "a\n", null, 1]', '[1, "\0", null, 1]', '[1, "a\0", null, 1]',
    '[1, "a", "yesterday", 1]', '[1, "a", null, "1"]',
    '[1, "a", nul, 1]', '[1, "a", nulll, 1]', '[1, "a", nullnull, 1]', '[1, "a", null1, 1]', '[1, "a", 1null, 1]',
    '[1"a", null, 1]', '[1, 2"a", null, 1]', '[1, "a"2, null, 1]', '[1, "a""a", null, 1]', '[1, "a", null, 1, null]',
    '[1, "a", null]', '[1e39, "a", null, 1]', '[[1], "a", null, 1]', '[1, ["a"], null, 1]', '[1, "a", null, 1', 'null', '"a"',
]  # fmt: skip


@pytest.mark.parametrize("row", NO_TEXTS)
def test_unusual_bodies_with_texts_are_left_to_the_strict_reader(row: str) -> None:
    for body in (f'{{"instances": [[1, "a", null, 1], {row}]}}', f'{{"instances": [{row}, [1, "a", null, 1]]}}'):
        assert read_fast(body.encode(), MIXED, missing_allowed=True) is None


def test_invalid_utf_8_in_a_text() -> None:
    assert read_fast(b'{"instances":[[1,"\xff",null,1]]}', MIXED, missing_allowed=True) is None
    assert read_fast(b'{"instances":[[1,"' + b"-" * SHORT + b'\xff",null,1]]}', MIXED, missing_allowed=True) is None


PIECES = [
    "[", "]", "{", "}", ",", ":", '"', '"x"', '"z"', "1", "-0", "2.5", "1e400", "true", "null", "n", " ", "\\", "é", "NaN", '"a"',
    "null,", ',"a"', "\0",
]  # fmt: skip


@settings(deadline=None, max_examples=600)
@given(st.data())
def test_a_body_with_texts_and_one_change(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(WITH_TEXTS))
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(at + 4, len(body))))
    damaged = (body[:at] + "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=4))) + body[until:]).encode()
    for missing_allowed in (False, True):
        try:
            check(damaged, MIXED, missing_allowed)
        except (NotStrictJson, InvalidInstances) as error:
            raise AssertionError(f"{damaged!r} was taken, and is refused: {error}") from error


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_body_with_one_change(data: st.DataObject) -> None:
    """The fast reader accepts no damaged body that the strict one refuses."""
    _, body = data.draw(st.sampled_from(PLAIN))
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(at + 4, len(body))))
    damaged = body[:at] + "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=4))).encode() + body[until:]
    for described in (X, XZ):
        try:
            check(damaged, described)
        except (NotStrictJson, InvalidInstances) as error:
            raise AssertionError(f"{damaged!r} was taken, and is refused: {error}") from error
