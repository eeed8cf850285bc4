"""Duplicate names in an object are found wherever colons and quotes occur, and a byte order mark is not part of the
JSON."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.strict_json import DEEPEST, NotStrictJson, decode_body

TEXTS = st.text(st.sampled_from('a:"\\{[]},é\n'), max_size=4)
WRITTEN = st.recursive(
    st.sampled_from(["1", "null", "true", "[]", "{}"]) | TEXTS.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(TEXTS, inner), max_size=4).map(
            lambda members: "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in members) + "}"
        )
    ),
    max_leaves=12,
)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without duplicate names."""
    if len(dict(pairs)) < len(pairs):
        raise KeyError
    return dict(pairs)


@settings(deadline=None, max_examples=400)
@given(WRITTEN, st.sampled_from([0, 5000]))
@example('{"a": {"b": 1}, "a": ":"}', 0)
@example('{"a": 1, "a": [":"]}', 5000)
@example('{"a": [1], "a": "["}', 0)
def test_duplicate_names_are_found(text: str, space: int) -> None:
    body = text.encode() + b" " * space
    try:
        expected = json.loads(text, object_pairs_hook=once)
    except KeyError:
        with pytest.raises(NotStrictJson, match="twice"):
            decode_body(body)
    else:
        assert decode_body(body) == expected


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1])
def test_depth(depth: int) -> None:
    for body in (b"[" * depth + b"]" * depth, b'{"[":' * depth + b'"{"' + b"}" * depth):
        if depth > DEEPEST:
            with pytest.raises(NotStrictJson, match="deeper"):
                decode_body(body)
        else:
            decode_body(body)


def test_one_byte_order_mark_before_the_document() -> None:
    mark = b"\xef\xbb\xbf"
    assert decode_body(mark + b'{"a": [1]}') == {"a": [1]}
    for body in (mark, mark + mark + b"1", b" " + mark + b"1", b"[" + mark + b"1]", b"1" + mark):
        with pytest.raises(NotStrictJson):
            decode_body(body)
