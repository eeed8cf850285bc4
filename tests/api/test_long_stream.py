"""STREAMED_ROWS rows (scripts/nightly: ten million) streamed through one request: in bounded memory, while other requests
are answered."""

import http.client
import os
import socket
import threading
import time
from typing import Any

import httpx
import psutil
import pytest

from tests.harness.server import Server
from tests.harness.until import until

ROWS = int(os.environ.get("STREAMED_ROWS", "200000"))
PATH = "/v1/models/line/predictions"
AT_ONCE = 4000
LINES = b"[0]\n[1]\n[2]\n[3]\n" * (AT_ONCE // 4)
MOST_GROWTH = 64 * 2**20


def send(connection: socket.socket) -> None:
    """Sends the rows as a body of unknown length."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head.encode())
    for start in range(0, ROWS, AT_ONCE):
        lines = LINES[: 4 * min(AT_ONCE, ROWS - start)]
        connection.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
    connection.sendall(b"0\r\n\r\n")


def test_a_long_stream_is_answered_in_bounded_memory(server: Server, http: httpx.Client, line: dict[str, Any]) -> None:
    four = http.post(PATH, json={"instances": [0, 1, 2, 3]}).json()["predictions"]
    process, over = psutil.Process(server.process.pid), threading.Event()
    most, times = [process.memory_info().rss], []

    def others() -> None:
        with server.http_client() as client:
            while not over.wait(0.02):
                began = time.perf_counter()
                assert client.post(PATH, json={"instances": [0, 1, 2, 3]}).status_code == 200
                times.append(time.perf_counter() - began)
                most.append(process.memory_info().rss)

    asking = threading.Thread(target=others)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        sending = threading.Thread(target=send, args=(connection,))
        asking.start()
        try:
            until(lambda: times)  # the first of the other predictions is answered before the stream begins
            sending.start()
            began = time.perf_counter()
            count = received(connection, four)
            seconds = time.perf_counter() - began
            sending.join()
        finally:
            over.set()
            asking.join()
    assert count == ROWS
    growth = max(most) - most[0]
    times.sort()
    print(  # noqa: T201 - a result of the nightly run
        f"{ROWS} rows in {seconds:.1f} s ({ROWS / seconds:,.0f} a second), memory grew by {growth / 2**20:.1f} MiB; "
        f"{len(times)} other predictions meanwhile: median {1e3 * times[len(times) // 2]:.1f} ms, "
        f"99th percentile {1e3 * times[len(times) * 99 // 100]:.1f} ms"
    )
    assert growth < MOST_GROWTH


def received(connection: socket.socket, four: list[float]) -> int:
    """The number of predictions received, each compared with those of the first four rows, which repeat."""
    answer = http.client.HTTPResponse(connection, method="POST")
    answer.begin()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "application/x-ndjson")
    first = b"".join(answer.readline() for _ in range(4))
    assert [float(line) for line in first.splitlines()] == pytest.approx(four, rel=1e-5)
    expected, place, count = first * 20_000, 0, 4
    while piece := answer.read1(65_536):
        assert expected.startswith(piece, place)
        place = (place + len(piece)) % len(first)
        count += piece.count(b"\n")
    return count
