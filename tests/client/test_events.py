"""Server-sent events are parsed alike however the bytes are split."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelwright.events import EventParser

LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])
COMMENTS = st.sampled_from(["", ": still here", "unknown: field", "event: metrics"])
EVENTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=3), max_size=6)


def written(events: list[dict[str, Any]], line_end: str, comment: str) -> bytes:
    lines: list[str] = []
    for number, event in enumerate(events, 1):
        # Several data lines of an event are one value, such as indented JSON.
        data = [f"data: {line}" for line in json.dumps(event, indent=1).split("\n")]
        lines += [*([comment] if comment else []), f"id: {number}", *data, ""]
    return "".join(line + line_end for line in lines).encode()


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return (data[start:end] for start, end in pairwise(bounds))


@given(EVENTS, LINE_ENDS, COMMENTS, st.lists(st.integers(0, 10_000), max_size=30))
def test_events_do_not_depend_on_chunk_boundaries(
    events: list[dict[str, Any]], line_end: str, comment: str, places: list[int]
) -> None:
    parser = EventParser()
    assert [
        event for chunk in cut(written(events, line_end, comment), places) for event in parser.feed(chunk)
    ] == events
    assert parser.last_event_id == (str(len(events)) if events else "")


def test_a_truncated_event_is_ignored() -> None:
    parser = EventParser("7")
    assert list(parser.feed(b'id: 8\ndata: {"a": 1}\n')) == []
    assert parser.last_event_id == "7"
    parser.restart()
    assert list(parser.feed(b'id: 8\ndata: {"a": 2}\n\n')) == [{"a": 2}]
    assert parser.last_event_id == "8"


def test_retry_sets_the_delay() -> None:
    parser = EventParser()
    list(parser.feed(b"retry: 1500\nretry: soon\n\n"))
    assert parser.retry == 1.5
