"""A large document is decoded in pieces, with the same values and the same errors."""

import gc
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.json_pieces import AT_ONCE, pieces
from service.strict_json import DEEPEST, NotStrictJson, decode

MIB = 2**20
TEXTS = st.text(st.sampled_from('a:"\\{[]},é\n'), max_size=4)
VALUES = st.recursive(
    st.sampled_from([1, -2.5e3, True, None]) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
LARGEST = [
    b'{"instances":[' + b",".join([b"[1.5]"] * 500_000) + b"]}",
    b'{"data":{"records":[' + b",".join([b'{"x": 1, "y": "\\\\"}'] * 200_000) + b']},"z":1}',
    b"{" + b",".join(b'"k%d":%d' % (at, at) for at in range(200_000)) + b"}",
]


def outcome(text: bytes, at_once: int) -> Any:
    """The decoded value as JSON; None if it is refused."""
    try:
        return json.dumps(decode(text, at_once=at_once))
    except NotStrictJson:
        return None


@settings(deadline=None, max_examples=300)
@given(
    VALUES,
    st.integers(1, 12),
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from('[]{},:"\\ 1')), max_size=2),
)
@example({"a": [1], "b": [1]}, 1, [])
@example([[], [[]]], 2, [(0.5, False, ",")])
def test_decoding_in_pieces_equals_decoding_the_whole(
    value: Any, at_once: int, damages: list[tuple[float, bool, str]]
) -> None:
    text = json.dumps(value)
    for place, replaced, character in damages:
        at = round(place * len(text))
        text = text[:at] + character + text[at + replaced :]
    body = text.encode()
    assert outcome(body, at_once) == outcome(body, MIB)


@pytest.mark.parametrize("text", LARGEST)
def test_pieces_are_bounded(text: bytes) -> None:
    assert max(len(each.text) for each in pieces(text, DEEPEST)) < 1.1 * AT_ONCE
    assert decode(text) == json.loads(text)
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (b'"a":2}', "an object has the same name twice"),
        (b'"b":1,}', "line 2, column 6: nothing follows this comma, or nothing precedes it"),
        (b'"b":nul}', "line 2, column 5: 'n' is not what JSON has here"),
        (b'"b":"\xff"}', "the byte at position 1000016 is no text in UTF-8"),
        (b'"b":' + b"[" * DEEPEST + b"1," * MIB, "it is nested deeper than 100"),
    ],
)
def test_an_error_deep_in_a_document_has_its_position(end: bytes, reason: str) -> None:
    with pytest.raises(NotStrictJson, match=reason):
        decode(b'{"a":[' + b"1," * 500_000 + b"1],\n" + end)
