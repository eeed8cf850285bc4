"""P-24 and P-21: slow clients are disconnected within 10 seconds unless they make progress, and too many are
refused."""

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
from tests.api.raw_socket import Received, connect, listen, nothing_to_read
from tests.harness.server import Server
from tests.harness.until import until

LIMIT = 10.0
SLACK = 10.0  # seconds that a busy machine may take longer
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
VALIDATE = b"POST /v1/training-jobs/validate HTTP/1.1\r\n"
PREDICT = b"POST /v1/models/line/predictions HTTP/1.1\r\n"
ROWS = b"Host: localhost\r\nContent-Length: 100000\r\nContent-Type: application/json\r\n\r\n"
LARGE = (  # its response is larger than the socket buffers
    b"GET /v1/models/large/versions/1/state_dict HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-safetensors\r\n\r\n"
)
Client = Callable[..., Received]


def wait(connection: socket.socket, start: bytes, more: bytes = b"", every: float = 0.2) -> Received:
    """Sends the start, and `more` again and again, until the server answers or closes."""
    began = time.monotonic()
    with suppress(ConnectionError):
        connection.sendall(start)
        while more and nothing_to_read(connection) and time.monotonic() - began < 2 * LIMIT:
            connection.sendall(more)
            time.sleep(every)
    received = listen(connection, 2 * LIMIT)
    return Received(received.text, received.ended, time.monotonic() - began)


def nothing(connection: socket.socket) -> Received:
    return wait(connection, b"")


def idle_after_an_answer(connection: socket.socket) -> Received:
    return wait(connection, GET)


def half_a_head(connection: socket.socket) -> Received:
    return wait(connection, GET[:-2])


def a_head_byte_by_byte(connection: socket.socket) -> Received:
    return wait(connection, GET[:-2], b"a")


def half_a_second_head(connection: socket.socket) -> Received:
    return wait(connection, GET + GET[:-2])


def no_body(connection: socket.socket) -> Received:
    return wait(connection, VALIDATE + b"Host: localhost\r\nContent-Length: 100\r\n\r\n")


def no_body_of_rows(connection: socket.socket) -> Received:
    return wait(connection, PREDICT + ROWS)


def half_a_body_of_rows(connection: socket.socket) -> Received:
    return wait(connection, PREDICT + ROWS + b'{"instances":')


def a_slow_body(connection: socket.socket) -> Received:
    return wait(connection, VALIDATE + CHUNKED, b"40\r\n" + b" " * 64 + b"\r\n")


def a_slow_body_of_rows(connection: socket.socket) -> Received:
    return wait(connection, PREDICT + CHUNKED, b"1\r\n \r\n")


def a_slow_body_that_is_fast_enough(connection: socket.socket) -> Received:
    connection.sendall(PREDICT + CHUNKED)
    began = time.monotonic()
    while time.monotonic() - began < LIMIT + 3:
        connection.sendall(b"800\r\n" + b" " * 2048 + b"\r\n")
        time.sleep(1)
    connection.sendall(b'13\r\n{"instances": [[1]]\r\n1\r\n}\r\n0\r\n\r\n')
    received = listen(connection, 5)
    return Received(received.text, received.ended, time.monotonic() - began)


def a_body_of_rows_that_is_fast_enough(connection: socket.socket) -> Received:
    """With a Content-Length short enough for the fast path, but not sent at once."""
    rows = b'{"instances": [[1]' + b" " * 2048 * int(LIMIT + 3) + b"]}"
    began = time.monotonic()
    connection.sendall(PREDICT + ROWS.replace(b"100000", b"%d" % len(rows)))
    for start in range(0, len(rows), 2048):
        connection.sendall(rows[start : start + 2048])
        time.sleep(1)
    received = listen(connection, 5)
    return Received(received.text, received.ended, time.monotonic() - began)


def an_answer_that_is_read_slowly(connection: socket.socket) -> Received:
    """Reads in pieces, evenly over a time longer than any limit."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.sendall(LARGE)
    began, text, size = time.monotonic(), b"", float("inf")
    while len(text) < size and (piece := connection.recv(65_536)):
        text += piece
        if size == float("inf") and b"\r\n\r\n" in text:
            head = text.partition(b"\r\n\r\n")[0]
            size = len(head) + 4 + int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        time.sleep(max(0.0, len(text) / size * (LIMIT + 4) - (time.monotonic() - began)))
    return Received(text[:1000], len(text) < size, time.monotonic() - began)


def an_answer_that_nobody_reads(connection: socket.socket) -> Received:
    """Ends when the server has closed the connection."""
    own = connection.getsockname()[1]
    began = time.monotonic()
    connection.sendall(LARGE)
    until(lambda: not held(connection.getpeername()[1], own), 2 * LIMIT)
    return Received(b"", True, time.monotonic() - began)


def held(server: int, client: int) -> bool:
    """Whether the operating system lists this connection for the server."""
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
def outcomes(server: Server, http: httpx.Client, line: dict[str, Any]) -> dict[Client, Received]:
    """The outcome of each client; all run at the same time."""
    records = [{"a": float(i), "y": float(i)} for i in range(8)]
    data = {"kind": "rows", "records": records, "target": "y", "task": "regression"}
    train(http, "large", data=data, model={"kind": "mlp", "hidden": [2048, 2048]}, training={"epochs": 0})
    received: dict[Client, Received] = {}

    def run_client(client: Client) -> None:
        with connect(server) as connection:
            received[client] = client(connection)

    threads = [threading.Thread(target=run_client, args=(client,)) for client in (*SLOW, *PATIENT)]
    for each in threads:
        each.start()
    received[waits_for_the_service] = waits_for_the_service(server, http)
    for each in threads:
        each.join()
    return received


def waits_for_the_service(server: Server, http: httpx.Client) -> Received:
    """A job's events and `?wait=` send nothing for longer than the limit for clients."""
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
        received = listen(connection, 5)
    return Received(received.text, received.ended, waited)


@pytest.mark.parametrize("client", SLOW, ids=lambda client: client.__name__)
def test_p24_slow_clients_are_disconnected(outcomes: dict[Client, Received], client: Client) -> None:
    received = outcomes[client]
    assert received.ended and received.statuses == SLOW[client]
    assert LIMIT - 3 < received.seconds < LIMIT + SLACK


@pytest.mark.parametrize("client", PATIENT, ids=lambda client: client.__name__)
def test_p24_clients_that_make_progress_are_not_disconnected(outcomes: dict[Client, Received], client: Client) -> None:
    received = outcomes[client]
    assert received.statuses == [200] and not received.ended and received.seconds > LIMIT + 3


def test_p24_clients_that_wait_for_the_service_are_not_disconnected(outcomes: dict[Client, Received]) -> None:
    received = outcomes[waits_for_the_service]
    assert received.statuses == [200] and b'"cancelled"' in received.text
    assert received.seconds > LIMIT + 1


class Narrow(Server):
    """A server that may open few files, and so accepts few connections."""

    def launch(self) -> None:
        super().launch()
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (640, 640))


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Server]:
    with Narrow(tmp_path / "home") as started:
        yield started


def test_p21_connections_beyond_the_limit_get_503(narrow: Server) -> None:
    """The server keeps enough descriptors for itself, refuses further connections at once, and does not spin."""
    places = 640 - 512
    with ExitStack() as stack:
        held = [stack.enter_context(connect(narrow)) for _ in range(places)]
        held[-1].sendall(GET)
        assert is_alive(held[-1])
        refused = [stack.enter_context(connect(narrow)) for _ in range(5)]
        assert all(each.recv(12) == b"HTTP/1.1 503" for each in refused)
        held[0].sendall(GET)  # it has sent nothing yet, and later connections are still open
        assert is_alive(held[0])
        for _ in range(2 * places):
            with connect(narrow) as one_more:
                received = listen(one_more, 5)
                assert received.statuses == [503] and received.ended and b"retry-after: 1" in received.text
        until(lambda: psutil.Process(narrow.process.pid).cpu_percent(0.5) < 20)  # after the end of its start
        held[-1].sendall(GET)
        assert is_alive(held[-1])
    with narrow.http_client() as http:
        until(lambda: answered(http))
        assert http.get("/readyz").status_code == 200


def is_alive(connection: socket.socket) -> bool:
    """Whether the response to GET /livez comes."""
    text = b""
    while (piece := connection.recv(65_536)) and not (text := text + piece).endswith(b"\r\n\r\nok\n"):
        pass
    return text.startswith(b"HTTP/1.1 200")


def answered(http: httpx.Client) -> bool:
    """Whether a connection is accepted again."""
    with suppress(httpx.HTTPError):
        return http.get("/livez").status_code == 200
    return False
