"""P-24 and P-21: clients that are slow, or too many. They are let go within 10 seconds; who makes progress is not."""

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.api.conftest import train
from tests.api.raw_socket import Heard, connect, listen, silent
from tests.harness.server import Server
from tests.harness.until import until

LIMIT = 10.0
SLACK = 10.0  # seconds by which a busy machine may be late
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
VALIDATE = b"POST /v1/training-jobs/validate HTTP/1.1\r\n"
PREDICT = b"POST /v1/models/line/predictions HTTP/1.1\r\n"
ROWS = b"Host: localhost\r\nContent-Length: 100000\r\nContent-Type: application/json\r\n\r\n"
LARGE = (  # its answer has more bytes than the system holds for a client
    b"GET /v1/models/large/versions/1/state_dict HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-safetensors\r\n\r\n"
)
Client = Callable[..., Heard]


def wait(connection: socket.socket, start: bytes, more: bytes = b"", every: float = 0.2) -> Heard:
    """Sends the start, and some more again and again, until the server has something to say or ends it."""
    began = time.monotonic()
    with suppress(ConnectionError):
        connection.sendall(start)
        while more and silent(connection) and time.monotonic() - began < 2 * LIMIT:
            connection.sendall(more)
            time.sleep(every)
    heard = listen(connection, 2 * LIMIT)
    return Heard(heard.text, heard.ended, time.monotonic() - began)


def nothing(connection: socket.socket) -> Heard:
    return wait(connection, b"")


def idle_after_an_answer(connection: socket.socket) -> Heard:
    return wait(connection, GET)


def half_a_head(connection: socket.socket) -> Heard:
    return wait(connection, GET[:-2])


def a_head_byte_by_byte(connection: socket.socket) -> Heard:
    return wait(connection, GET[:-2], b"a")


def half_a_second_head(connection: socket.socket) -> Heard:
    return wait(connection, GET + GET[:-2])


def no_body(connection: socket.socket) -> Heard:
    return wait(connection, VALIDATE + b"Host: localhost\r\nContent-Length: 100\r\n\r\n")


def no_body_of_rows(connection: socket.socket) -> Heard:
    return wait(connection, PREDICT + ROWS)


def half_a_body_of_rows(connection: socket.socket) -> Heard:
    return wait(connection, PREDICT + ROWS + b'{"instances":')


def a_slow_body(connection: socket.socket) -> Heard:
    return wait(connection, VALIDATE + CHUNKED, b"40\r\n" + b" " * 64 + b"\r\n")


def a_slow_body_of_rows(connection: socket.socket) -> Heard:
    return wait(connection, PREDICT + CHUNKED, b"1\r\n \r\n")


def a_slow_body_that_is_fast_enough(connection: socket.socket) -> Heard:
    connection.sendall(PREDICT + CHUNKED)
    began = time.monotonic()
    while time.monotonic() - began < LIMIT + 3:
        connection.sendall(b"800\r\n" + b" " * 2048 + b"\r\n")
        time.sleep(1)
    connection.sendall(b'13\r\n{"instances": [[1]]\r\n1\r\n}\r\n0\r\n\r\n')
    heard = listen(connection, 5)
    return Heard(heard.text, heard.ended, time.monotonic() - began)


def a_body_of_rows_that_is_fast_enough(connection: socket.socket) -> Heard:
    """Its length is told, and it is short enough to be gathered, if it came at once."""
    rows = b'{"instances": [[1]' + b" " * 2048 * int(LIMIT + 3) + b"]}"
    began = time.monotonic()
    connection.sendall(PREDICT + ROWS.replace(b"100000", b"%d" % len(rows)))
    for start in range(0, len(rows), 2048):
        connection.sendall(rows[start : start + 2048])
        time.sleep(1)
    heard = listen(connection, 5)
    return Heard(heard.text, heard.ended, time.monotonic() - began)


def an_answer_that_is_read_slowly(connection: socket.socket) -> Heard:
    """In pieces, evenly over a time that is longer than any limit."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.sendall(LARGE)
    began, text, size = time.monotonic(), b"", float("inf")
    while len(text) < size and (piece := connection.recv(65_536)):
        text += piece
        if size == float("inf") and b"\r\n\r\n" in text:
            head = text.partition(b"\r\n\r\n")[0]
            size = len(head) + 4 + int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        time.sleep(max(0.0, len(text) / size * (LIMIT + 4) - (time.monotonic() - began)))
    return Heard(text[:1000], len(text) < size, time.monotonic() - began)


def an_answer_that_nobody_reads(connection: socket.socket) -> Heard:
    """Ended when the server has no such connection any more."""
    own = connection.getsockname()[1]
    began = time.monotonic()
    connection.sendall(LARGE)
    until(lambda: not held(connection.getpeername()[1], own), 2 * LIMIT)
    return Heard(b"", True, time.monotonic() - began)


def held(server: int, client: int) -> bool:
    """Whether the system knows this connection from the server's side."""
    ends = (f":{server:04X}", f":{client:04X}")
    rows = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(ends[0]) and remote.endswith(ends[1]) and state == "01" for local, remote, state in rows)


SLOW: dict[Client, list[int]] = {
    nothing: [],
    idle_after_an_answer: [200],
    half_a_head: [408],
    a_head_byte_by_byte: [408],
    half_a_second_head: [200, 408],
    no_body: [408],
    no_body_of_rows: [408],
    half_a_body_of_rows: [408],
    a_slow_body: [408],
    a_slow_body_of_rows: [408],
    an_answer_that_nobody_reads: [],
}
PATIENT: tuple[Client, ...] = (
    a_slow_body_that_is_fast_enough,
    a_body_of_rows_that_is_fast_enough,
    an_answer_that_is_read_slowly,
)


@pytest.fixture(scope="module")
def fared(server: Server, http: httpx.Client, line: dict[str, Any]) -> dict[Client, Heard]:
    """How each client has fared, all at the same time."""
    records = [{"a": float(i), "y": float(i)} for i in range(8)]
    data = {"kind": "rows", "records": records, "target": "y", "task": "regression"}
    train(http, "large", data=data, model={"kind": "mlp", "hidden": [2048, 2048]}, training={"epochs": 0})
    heard: dict[Client, Heard] = {}

    def be(client: Client) -> None:
        with connect(server) as connection:
            heard[client] = client(connection)

    threads = [threading.Thread(target=be, args=(client,)) for client in (*SLOW, *PATIENT)]
    for each in threads:
        each.start()
    heard[who_waits_for_the_service] = who_waits_for_the_service(server, http)
    for each in threads:
        each.join()
    return heard


def who_waits_for_the_service(server: Server, http: httpx.Client) -> Heard:
    """A job's events, and `?wait=`, are silent for longer than a client may be."""
    spec = {"model_name": "silent", "data": {"kind": "line", "weight": 1, "bias": 0, "start": 0, "end": 1, "step": 0.1}}
    job = http.post("/v1/training-jobs", json={**spec, "training": {"epochs": 10**7}}).json()["id"]
    assert http.post(f"/v1/training-jobs/{job}/pause").json()["status"] == "paused"
    with connect(server) as connection:
        head = f"GET /v1/training-jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        connection.sendall(head.encode())
        began = time.monotonic()
        assert http.get(f"/v1/training-jobs/{job}?wait={LIMIT + 2}").json()["status"] == "paused"
        waited = time.monotonic() - began
        assert http.post(f"/v1/training-jobs/{job}/cancel").json()["status"] == "cancelled"
        heard = listen(connection, 5)
    return Heard(heard.text, heard.ended, waited)


@pytest.mark.parametrize("client", SLOW, ids=lambda client: client.__name__)
def test_p24_slow_clients_are_disconnected(fared: dict[Client, Heard], client: Client) -> None:
    heard = fared[client]
    assert heard.ended and heard.statuses == SLOW[client]
    assert LIMIT - 3 < heard.seconds < LIMIT + SLACK


@pytest.mark.parametrize("client", PATIENT, ids=lambda client: client.__name__)
def test_p24_clients_that_make_progress_are_not_disconnected(fared: dict[Client, Heard], client: Client) -> None:
    heard = fared[client]
    assert heard.statuses == [200] and not heard.ended and heard.seconds > LIMIT + 3


def test_p24_clients_that_wait_for_the_service_are_not_disconnected(fared: dict[Client, Heard]) -> None:
    heard = fared[who_waits_for_the_service]
    assert heard.statuses == [200] and b'"cancelled"' in heard.text
    assert heard.seconds > LIMIT + 1


class Narrow(Server):
    """A server that may open few files, and so holds few connections."""

    def launch(self) -> None:
        super().launch()
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (640, 640))


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Server]:
    with Narrow(tmp_path / "home") as started:
        yield started


def test_p21_connections_beyond_the_limit_get_503(narrow: Server) -> None:
    """It takes in as many as leave it files for itself, refuses others at once, and does not spin for them."""
    places = 640 - 512
    with ExitStack() as stack:
        held = [stack.enter_context(connect(narrow)) for _ in range(places)]
        held[-1].sendall(GET)
        assert is_alive(held[-1])
        refused = [stack.enter_context(connect(narrow)) for _ in range(5)]
        assert all(each.recv(12) == b"HTTP/1.1 503" for each in refused)
        held[0].sendall(GET)  # it has said nothing yet, and those who came after it are still there
        assert is_alive(held[0])
        for _ in range(2 * places):
            with connect(narrow) as one_more:
                heard = listen(one_more, 5)
                assert heard.statuses == [503] and heard.ended and b"retry-after: 1" in heard.text
        until(lambda: psutil.Process(narrow.process.pid).cpu_percent(0.5) < 20)  # once it has started in full
        held[-1].sendall(GET)
        assert is_alive(held[-1])
    with narrow.http_client() as http:
        until(lambda: answered(http))
        assert http.get("/readyz").status_code == 200


def is_alive(connection: socket.socket) -> bool:
    """Whether the answer to GET /livez comes."""
    text = b""
    while (piece := connection.recv(65_536)) and not (text := text + piece).endswith(b"\r\n\r\nok\n"):
        pass
    return text.startswith(b"HTTP/1.1 200")


def answered(http: httpx.Client) -> bool:
    """Whether there is a place again."""
    with suppress(httpx.HTTPError):
        return http.get("/livez").status_code == 200
    return False
