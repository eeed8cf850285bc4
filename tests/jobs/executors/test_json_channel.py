import socket
from contextlib import closing
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jobs.attempt import Attempt
from service.jobs.executors.local.json_channel import JsonChannel

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(values=st.lists(JSON, max_size=8), data=st.data())
def test_any_chunking_gives_the_same_values(values: list[Any], data: st.DataObject) -> None:
    stream = b"".join(orjson.dumps(value) + b"\n" for value in values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        lines = JsonChannel(ours)
        heard = [
            value for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) for value in lines.feed(stream[a:b])
        ]
    assert heard == values


def test_receive_one_keeps_the_rest() -> None:
    ours, theirs = map(JsonChannel, socket.socketpair())
    with closing(ours), closing(theirs):
        theirs.socket.sendall(b'1\n{"two":2}\n')
        assert [ours.receive_one(), ours.receive_one()] == [1, {"two": 2}]
        theirs.close()
        with pytest.raises(EOFError):
            ours.receive_one()


def test_a_request_that_arrives_with_the_job_is_handled() -> None:
    ours, theirs = map(JsonChannel, socket.socketpair())
    with closing(ours), closing(theirs):
        theirs.socket.sendall(b'{"job":"job.json"}\n{"leave":true}\n')  # paused before the attempt has read its job
        attempt = Attempt(ours, ours.receive_one())
        assert attempt.asked_to_leave()


def test_a_truncated_line_is_no_value() -> None:
    ours, theirs = map(JsonChannel, socket.socketpair())
    with closing(ours), closing(theirs):
        theirs.socket.sendall(b'{"cut sho')
        theirs.close()
        assert ours.receive() == []
        assert ours.receive() is None
        with pytest.raises(EOFError):
            ours.receive_one()
