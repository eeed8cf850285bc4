"""The fast path of predictions answers as the endpoint does over ASGI, byte for byte, and follows HTTP."""

import json
import re
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars
import pytest

from tests.api.conftest import train
from tests.api.raw_requests import OVER_ASGI, comparable, connected, headers_of, post_bytes, until_closed
from tests.harness.server import Server
from tests.harness.until import until

PATH = "/v1/models/line/versions/1/predictions"
ONE = b'{"instances":[[0.5]]}'


def npy(values: Any) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, np.asarray(values, dtype=np.float32))
    return out.getvalue()


def arrow(values: dict[str, Any]) -> bytes:
    import io

    out = io.BytesIO()
    polars.DataFrame(values).write_ipc_stream(out)
    return out.getvalue()


MANY = [[i / 7] for i in range(8000)]  # a body of some 160 kB
LARGE = json.dumps({"instances": MANY}).encode()
ARROW = "application/vnd.apache.arrow.stream"

BODIES: list[tuple[str, bytes]] = [
    ("application/json", ONE),
    ("application/json", b'{"instances":[0.5,0.25]}'),
    ("application/json", b'{"instances":[{"x":0.5},{"x":0.25}]}'),
    ("application/json", b'{"inputs":{"x":[0.5]}}'),
    ("application/json; charset=utf-8", ONE),
    ("application/json", json.dumps({"instances": [[i / 7] for i in range(2000)]}).encode()),
    ("application/json", b'{"instances":[[1e39]]}'),
    ("application/json", b'{"instances":[[1,2]]}'),
    ("application/json", b'{"instances":[["half"]]}'),
    ("application/json", b'{"instances":[[null]]}'),
    ("application/json", b'{"instances":[]}'),
    ("application/json", b'{"instances":[[0.5]],"instances":[[0.6]]}'),
    ("application/json", b'{"instances":[[NaN]]}'),
    ("application/json", b'{"instances"'),
    ("application/json", b""),
    ("application/x-npy", npy([[0.5], [0.25]])),
    ("application/x-npy", npy([[0.5, 0.25]])),
    ("application/x-npy", npy([[0.5]])[:-1]),
    ("text/csv", b"x\n0.5\n"),
    ("text/plain", ONE),
    ("application/x-ndjson", b""),
    ("application/x-ndjson", b"[1,2]\n[0.5]\n[3,4]\n"),
    ("application/x-ndjson", b"[0.5]\n[\n"),
    ("application/json", LARGE),
    ("application/json", LARGE.replace(b"[[", b"[[1,", 1)),
    ("application/json", LARGE[:-1]),
    ("application/json", json.dumps({"instances": [{"x": i} for i in range(8000)]}).encode()),
    ("application/json", b" " * 262_145 + ONE),
    ("application/x-npy", npy(np.repeat(MANY, 4, axis=0))),
    (ARROW, arrow({"x": [0.5, 0.25]})),
    (ARROW, arrow({"x": [each for (each,) in MANY]})),
    (ARROW, arrow({"x": ["half"] * 10})),
]


def tensor(rows: int, datatype: str, size: int | None = None) -> dict[str, Any]:
    """An OIP tensor without its values."""
    document: dict[str, Any] = {"name": "x", "shape": [rows, 1], "datatype": datatype}
    return document if size is None else document | {"parameters": {"binary_data_size": size}}


def oip(rows: int, datatype: str = "FP32", *, cut: int = 0, binary: bool = True) -> tuple[str, bytes, dict[str, str]]:
    """Path, body and headers of an inference whose tensors follow the JSON."""
    values = np.arange(rows, dtype=np.float32).tobytes()
    document = {"inputs": [tensor(rows, datatype, len(values))], "parameters": {"binary_data_output": binary}}
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return "/v2/models/line/infer", head + values[: len(values) - cut], headers


TYPED = {"Content-Type": "application/json"}
IN_DIALECTS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "bytes": oip(3),
    "many bytes": oip(30_000),
    "bytes in, JSON out": oip(300, binary=False),
    "bytes that are cut short": oip(30_000, cut=4),
    "bytes that are said to be texts": oip(30_000, "BYTES"),
    "a version": ("/v2/models/line/versions/1/infer", *oip(3)[1:]),
    "no such model": ("/v2/models/nobody/infer", *oip(3)[1:]),
    "in JSON": (
        "/v2/models/line/infer",
        json.dumps({"id": "7", "inputs": [tensor(2, "FP32") | {"data": [0.5, 0.25]}]}).encode(),
        TYPED,
    ),
    "wrong in JSON": (
        "/v2/models/line/infer",
        json.dumps({"inputs": [tensor(2, "FP32") | {"data": [0.5]}]}).encode(),
        TYPED,
    ),
    "an unknown type": ("/v2/models/line/infer", ONE, {"Content-Type": "text/csv"}),
    "TensorFlow Serving": ("/v1/models/line:predict", ONE, TYPED),
    "TensorFlow Serving, wrong": ("/v1/models/line/versions/1:predict", b'{"instances":[["half"]]}', TYPED),
}


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_the_fast_path_answers_as_over_asgi(http: httpx.Client, line: dict[str, Any], kind: str, body: bytes) -> None:
    for path in (PATH, "/v1/models/line/predictions", "/v1/models/nobody/predictions"):
        direct = http.post(path, content=body, headers={"Content-Type": kind})
        over_asgi = http.post(path, content=body, headers={"Content-Type": kind, **OVER_ASGI})
        assert (direct.status_code, comparable(direct)) == (over_asgi.status_code, comparable(over_asgi))
        assert dict(headers_of(direct)) == dict(headers_of(over_asgi))


@pytest.mark.parametrize("name", IN_DIALECTS)
def test_the_fast_path_answers_dialects_as_over_asgi(http: httpx.Client, line: dict[str, Any], name: str) -> None:
    path, body, headers = IN_DIALECTS[name]
    direct = http.post(path, content=body, headers=headers)
    over_asgi = http.post(path, content=body, headers=headers | OVER_ASGI)
    assert (direct.status_code, comparable(direct)) == (over_asgi.status_code, comparable(over_asgi))
    assert dict(headers_of(direct)) == dict(headers_of(over_asgi))


def post(body: bytes, *lines: str, path: str = PATH) -> bytes:
    return post_bytes(body, "Content-Type: application/json", *lines, path=path)


def test_requests_on_one_connection_are_answered_in_their_order(server: Server, line: dict[str, Any]) -> None:
    requests = [post(b'{"instances":[[%d]]}' % number) for number in range(14)]
    long = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(b"".join([*requests[:5], long, *requests[5:9], post(b"{", "Accept: */*"), *requests[9:13]]))
        connection.sendall(post(b'{"instances":[[13]]}', "Connection: close"))
        answers = until_closed(connection)
    statuses = re.findall(rb"HTTP/1.1 (\d{3})", answers)
    assert statuses == [b"200"] * 10 + [b"400"] + [b"200"] * 5
    numbers = [float(each) for each in re.findall(rb'"predictions":\[([^\]]+)\]', answers)]
    assert len(numbers) == 14 and numbers == sorted(numbers)
    assert answers.count(b"connection: close") == 1


def test_a_body_in_several_segments(server: Server, line: dict[str, Any]) -> None:
    whole = post(ONE, "Connection: close")
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole:
            connection.sendall(bytes([byte]))
        assert until_closed(connection).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("pause", [0.0, 1.2])  # the second pause is longer than the fast path waits for a body
def test_a_large_body_in_several_segments(server: Server, line: dict[str, Any], pause: float) -> None:
    first, second = post(LARGE), post(LARGE, "Connection: close")
    with connected(server) as connection:
        for whole in (first, second):
            connection.sendall(whole[:100_000])
            time.sleep(pause)
            connection.sendall(whole[100_000:])
        answers = until_closed(connection)
    predicted = re.findall(rb'"predictions":(\[[^\]]+\])', answers)
    assert (
        answers.count(b"HTTP/1.1 200 OK\r\n") == 2 and [len(json.loads(each)) for each in predicted] == [len(MANY)] * 2
    )


@pytest.mark.parametrize(
    "lines",
    [
        ["Expect: 100-continue"],
        ["X-Twice: 1", "X-Twice: 2"],
        ["Accept: text/csv"],
        ["Accept: image/png"],
    ],
)
def test_unusual_requests_are_answered(server: Server, line: dict[str, Any], lines: list[str]) -> None:
    with connected(server) as connection:
        connection.sendall(post(ONE, *lines) + post(ONE, "Connection: close"))
        answers = until_closed(connection)
    status = b"406" if "image" in lines[0] else b"200"
    final = [each for each in re.findall(rb"HTTP/1.1 (\d{3})", answers) if each != b"100"]
    assert final == [status, b"200"]


def test_http_1_0_gets_one_answer_and_a_closed_connection(server: Server, line: dict[str, Any]) -> None:
    with connected(server) as connection:
        connection.sendall(post(ONE).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert until_closed(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_disconnects_within_its_body_affects_no_other(server: Server, http: httpx.Client) -> None:
    train(http, "left", training={"epochs": 0})
    path = "/v1/models/left/predictions"
    for cut in (10, 1):
        with connected(server) as connection:
            connection.sendall(post(ONE, path=path)[:-cut])
    with connected(server) as connection:  # and one that disconnects before its answer
        connection.sendall(post(ONE, path=path))
    assert http.post(path, content=ONE, headers={"Content-Type": "application/json"}).status_code == 200


def test_a_stop_waits_for_a_body_that_is_being_received(tmp_path: Path) -> None:
    whole = post(LARGE)
    with Server(tmp_path / "home") as stopping:
        with stopping.http_client() as http:
            train(http, "line")
        with connected(stopping) as connection:
            connection.sendall(whole[:100_000])
            stopping.process.send_signal(signal.SIGTERM)
            until(lambda: not listens(stopping))
            connection.sendall(whole[100_000:])
            answer = until_closed(connection)
        assert stopping.process.wait(30) == 0
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"connection: close" in answer


def listens(server: Server) -> bool:
    """Whether new connections are accepted."""
    with suppress(ConnectionError), connected(server):
        return True
    return False
