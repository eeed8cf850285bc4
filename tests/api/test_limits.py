"""P-04: requests beyond a limit of size are refused before they are read to their end, whichever part is too large."""

import gzip
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.api.raw_socket import Received, connect, exchange, listen
from tests.harness.server import Server

MIB = 2**20
JSON = "application/json"
BUFFERS = 24 * MIB  # bytes that socket buffers accept while nobody reads
PREDICT = "/v1/models/line/predictions"
BODIES = [  # method, path, media type, limit in bytes
    ("POST", "/v1/training-jobs", JSON, 16 * MIB),
    ("POST", "/v1/training-jobs/validate", JSON, 16 * MIB),
    ("PUT", "/v1/models/line/aliases/limits", JSON, 16 * MIB),
    ("POST", PREDICT, JSON, 16 * MIB),
    ("POST", PREDICT, "text/csv", 64 * MIB),
    ("POST", PREDICT, "application/x-npy", 64 * MIB),
    ("POST", PREDICT, "application/vnd.apache.parquet", 64 * MIB),
    ("PUT", "/v1/datasets/limits", "text/csv", 10 * 2**30),
    ("POST", "/v1/models/limits/versions", "application/zip", 10 * 2**30),
]
UNDECLARED = [each for each in BODIES if each[3] <= 64 * MIB]


def head(method: str, path: str, media_type: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def send_endlessly(server: Server, start: bytes, piece: bytes, most: int) -> tuple[Received, int]:
    """Sends the piece again and again without reading. Returns the response and the number of bytes sent."""
    with connect(server) as connection:
        sent = 0
        with suppress(ConnectionError):
            connection.sendall(start)
            while sent < most:
                sent += connection.send(piece)
        return listen(connection, 20), sent


def send_all_endlessly(server: Server, pours: list[tuple[bytes, bytes, int]]) -> list[tuple[Received, int]]:
    """All at the same time: each ends with seconds of waiting."""
    with ThreadPoolExecutor(len(pours)) as threads:
        return list(threads.map(lambda each: send_endlessly(server, *each), pours))


def test_p04_a_body_declared_too_large_is_not_read(server: Server, line: dict[str, Any]) -> None:
    starts = [head(method, path, given, f"Content-Length: {most + 1}") for method, path, given, most in BODIES]
    results = send_all_endlessly(server, [(start, b" " * MIB, 4 * BUFFERS) for start in starts])
    for (received, sent), about in zip(results, BODIES, strict=True):
        assert received.statuses == [413] and received.ended and b"connection: close" in received.text, about
        assert sent < BUFFERS, about


def test_p04_a_body_of_unknown_length_is_read_only_up_to_its_limit(server: Server, line: dict[str, Any]) -> None:
    piece = b"100000\r\n" + b" " * MIB + b"\r\n"
    results = send_all_endlessly(
        server,
        [
            (head(method, path, given, "Transfer-Encoding: chunked"), piece, most + 4 * BUFFERS)
            for method, path, given, most in UNDECLARED
        ],
    )
    for (received, sent), about in zip(results, UNDECLARED, strict=True):
        assert received.statuses == [413] and received.ended, about
        assert about[3] <= sent < about[3] + BUFFERS, about


@pytest.mark.parametrize(("method", "path", "media_type", "most"), UNDECLARED)
def test_p04_the_limit_applies_to_decompressed_bodies(
    http: httpx.Client, line: dict[str, Any], method: str, path: str, media_type: str, most: int
) -> None:
    """Compressed 1000:1."""
    body = gzip.compress(b" " * (most + 1), 9)
    assert len(body) < most / 900
    answer = http.request(method, path, content=body, headers={"Content-Type": media_type, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_every_route_accepts_compressed_bodies(http: httpx.Client, line: dict[str, Any]) -> None:
    spec = (
        b'{"model_name": "packed", "data": {"kind": "line", "weight": 1, "bias": 0, "start": 0, "end": 1, "step": 0.1}}'
    )
    table = b"x,y\n" + b"1,2\n2,3\n" * 20
    for method, path, media_type, body in (
        ("POST", "/v1/training-jobs/validate", JSON, spec),
        ("PUT", "/v1/datasets/packed", "text/csv", table),
    ):
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        answer = http.request(method, path, content=gzip.compress(body), headers=headers)
        assert answer.status_code in (200, 201), answer.text
        assert http.request(method, path, content=body, headers=headers).status_code == 400
        other = http.request(method, path, content=body, headers={**headers, "Content-Encoding": "br"})
        assert (other.status_code, other.json()["code"]) == (415, "unsupported_media_type")
    assert http.get("/v1/datasets/packed").json()["bytes"] == len(table)


def test_the_number_of_json_lines_is_unlimited_but_not_their_length(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    """More in total than any other body may have; and one line that is too long."""
    headers = {"Content-Type": "application/x-ndjson"}
    row = b"[0.5" + b" " * 200_000 + b"]\n"
    answer = http.post(PREDICT, content=(row for _ in range(400)), headers=headers)
    assert answer.status_code == 200 and len(answer.text.split()) == 400
    start = head("POST", PREDICT, headers["Content-Type"], "Transfer-Encoding: chunked")
    received, sent = send_endlessly(server, start, b"100000\r\n" + b" " * (MIB - 1) + b"1\r\n", 4 * BUFFERS)
    assert received.statuses == [422] and received.ended and sent < BUFFERS


@pytest.mark.parametrize(("method", "path", "media_type", "most"), BODIES)
def test_p04_forms_of_many_fields_are_refused(
    http: httpx.Client, line: dict[str, Any], method: str, path: str, media_type: str, most: int
) -> None:
    """10,000 fields; what forms of data sets and predictions may have is in tests/api/test_forms.py and
    test_image_predictions.py."""
    field = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = field * 10_000 + b"--b--\r\n"
    answer = http.request(method, path, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    takes_forms = "datasets" in path or path.endswith("/predictions")
    refused = (422, "invalid_request") if takes_forms else (415, "unsupported_media_type")
    assert (answer.status_code, answer.json()["code"]) == refused


LARGE_HEADS = {
    "a header of 1 MB": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: ", b"a" * 1000, 1000, 431),
    "the name of a header of 1 MB": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"a" * 1000, 1000, 431),
    "20,000 headers": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"A: b\r\n", 20_000, 431),
    "101 headers": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"A: b\r\n", 100, 431),
    "an address of 1 MB": (b"GET /", b"a" * 1000, 1000, 414),
    "an address of 40 kB": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost", b"\r\n", 1, 414),
    "a method of 1 MB": (b"", b"A" * 1000, 1000, 400),
}


@pytest.mark.parametrize("name", LARGE_HEADS)
def test_p04_large_heads(server: Server, name: str) -> None:
    start, piece, times, status = LARGE_HEADS[name]
    received = exchange(server, start, *[piece] * times, b"\r\n\r\n")
    assert received.statuses == [status] and received.ended and b"application/problem+json" in received.text


def test_p04_a_large_head_at_once(server: Server) -> None:
    """Sent at once, so that the server reads as much of it as possible in one piece."""
    received = exchange(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * MIB + b"\r\n\r\n")
    assert received.statuses == [431] and received.ended


def test_the_largest_head_is_accepted(server: Server) -> None:
    lines = b"".join(b"A-%d: %b\r\n" % (each, b"b" * 500) for each in range(97))
    received = exchange(
        server,
        b"GET /livez?" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n",
    )
    assert received.statuses == [200]


ENDLESS = {
    "the extension of a chunk": (b"2;a=", b"a" * 1000),
    "the zeros of a chunk's size": (b"", b"0" * 1000),
    "a trailer": (b"0\r\nA: ", b"a" * 1000),
    "trailers": (b"0\r\n", b"A: b\r\n" * 100),
}


def test_p04_chunk_extensions_and_trailers_are_bounded(server: Server, line: dict[str, Any]) -> None:
    start = head("POST", PREDICT, JSON, "Transfer-Encoding: chunked")
    results = send_all_endlessly(server, [(start + first, piece, 4 * BUFFERS) for first, piece in ENDLESS.values()])
    for (received, sent), name in zip(results, ENDLESS, strict=True):
        assert received.statuses == [400] and received.ended and sent < BUFFERS, name


def test_the_body_of_a_request_that_needs_none_is_not_read(server: Server) -> None:
    """The answer comes at once, and the connection closes."""
    paths = ("/v1/nothing", "/v1/models/line", "/livez", "/v1/training-jobs/nobody/cancel")
    starts = [head("POST", path, JSON, f"Content-Length: {2**40}") for path in paths]
    for received, sent in send_all_endlessly(server, [(start, b" " * MIB, 4 * BUFFERS) for start in starts]):
        assert received.statuses in ([404], [405]) and received.ended and sent < BUFFERS


def test_a_refused_small_body_keeps_the_connection_open(server: Server) -> None:
    start = head("POST", "/v1/training-jobs", "text/plain", "Content-Length: 30000")
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(start + b" " * 10_000)
        assert re.match(rb"HTTP/1.1 415 ", connection.recv(65_536))
        connection.sendall(b" " * 20_000 + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert listen(connection, 20).statuses == [200]
