"""P-15: requests that two parsers would split differently. Each gets one response, 400, and the connection closes."""

import time

import pytest

from tests.api.raw_socket import connect, exchange, listen
from tests.harness.server import Server

SECOND = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"  # must never get a response of its own


def get(headers: bytes) -> bytes:
    return b"GET /livez HTTP/1.1\r\n" + headers + b"\r\n" + SECOND


def post(headers: bytes, body: bytes) -> bytes:
    return b"POST /v1/training-jobs/validate HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n" + body + SECOND


CHUNKED = b"Transfer-Encoding: chunked\r\n"
TWO_WAYS = {
    "TE and CL": post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"),
    "CL and TE": post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n"),
    "two CL": post(b"Content-Length: 2\r\nContent-Length: 40\r\n", b"{}"),
    "the same CL twice": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
    "a list of CL": post(b"Content-Length: 2, 2\r\n", b"{}"),
    "CL +2": post(b"Content-Length: +2\r\n", b"{}"),
    "CL -2": post(b"Content-Length: -2\r\n", b"{}"),
    "CL 0x2": post(b"Content-Length: 0x2\r\n", b"{}"),
    "CL 1_0": post(b"Content-Length: 1_0\r\n", b"{}"),
    "CL of nothing": post(b"Content-Length:\r\n", b"{}"),
    "CL beyond 64 bits": post(b"Content-Length: 18446744073709551618\r\n", b"{}"),
    "space before the colon": post(b"Content-Length : 2\r\n", b"{}"),
    "TE xchunked": post(b"Transfer-Encoding: xchunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "TE identity": post(b"Transfer-Encoding: identity\r\n", b""),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "TE twice": post(CHUNKED + CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
    "TE and another TE": post(CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "TE behind a control character": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "TE in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "a chunk without its end": post(CHUNKED, b"2\r\n{}XX0\r\n\r\n"),
    "chunks with bare LF": post(CHUNKED, b"2\n{}\n0\n\n"),
    "a chunk of -2": post(CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of 0x2": post(CHUNKED, b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk beyond 64 bits": post(CHUNKED, b"fffffffffffffffff2\r\n{}\r\n0\r\n\r\n"),
    "a folded header": get(b"Host: localhost\r\nA: b\r\n c\r\n"),
    "a folded first header": get(b" Host: localhost\r\n"),
    "bare LF after the request": get(b"Host: localhost\r\n").replace(b"\r\n", b"\n", 1),
    "bare LF after a header": get(b"Host: localhost\nA: b\r\n"),
    "bare CR after a header": get(b"Host: localhost\rA: b\r\n"),
    "NUL in a header": get(b"Host: localhost\r\nA: \x00\r\n"),
    "no Host": get(b"A: b\r\n"),
    "two Hosts": get(b"Host: localhost\r\nHost: y\r\n"),
    "the same Host twice": get(b"Host: localhost\r\nHost: localhost\r\n"),
    "Host with a space": get(b"Host: a b\r\n"),
    "Host with a user": get(b"Host: a@b\r\n"),
    "Host with a scheme": get(b"Host: http://a\r\n"),
    "Host with a word for its port": get(b"Host: a:b\r\n"),
    "a space in the address": b"GET /livez x HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND,
    "a byte beyond ASCII in the address": b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND,
    "a proxy's CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND,
    "a method that nobody knows": b"STEAL / HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND,
    "another protocol, with a body": post(
        b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(SECOND), b""
    ),
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 100,
}


@pytest.mark.parametrize("name", TWO_WAYS)
def test_p15_one_400_then_close(server: Server, name: str) -> None:
    received = exchange(server, TWO_WAYS[name])
    assert received.statuses == [400] and received.ended
    assert b"application/problem+json" in received.text and b"connection: close" in received.text


def test_p15_a_bad_chunk_after_the_answer_gets_no_second_answer(server: Server) -> None:
    """The request is answered from its head alone; the invalid chunk follows."""
    with connect(server) as connection:
        connection.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"2\r\n{}XX0\r\n\r\n" + SECOND)
        received = listen(connection, 20)
    assert received.statuses == [] and received.ended


def test_p15_invalid_data_after_a_request_does_not_affect_its_answer(server: Server) -> None:
    received = exchange(server, SECOND + b"BROKEN\r\n\r\n" + SECOND)
    assert received.statuses == [200] and received.ended


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
def test_p15_data_after_an_upgrade_is_not_a_request(server: Server, upgrade: bytes) -> None:
    upgrade_request = (
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    )
    received = exchange(server, upgrade_request, SECOND)
    assert received.statuses == [200] and received.ended


def test_p15_trailers_are_not_headers(server: Server) -> None:
    """Trailers do not change how the body is read."""
    head = b"POST /v1/training-jobs/validate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + CHUNKED
    body = b"\r\n1\r\n{\r\n"
    with connect(server) as connection:
        connection.sendall(head + body)
        time.sleep(0.05)  # so that the request has begun
        connection.sendall(b"1\r\n}\r\n0\r\nContent-Type: text/plain\r\nRequest-Timeout: x\r\n\r\n")
        assert listen(connection, 20).statuses == [422]


def test_pipelined_requests_are_answered_in_order_and_bounded(server: Server) -> None:
    few = exchange(server, SECOND * 9 + SECOND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert few.statuses == [200] * 10
    many = exchange(server, SECOND * 1000)
    assert 10 < len(many.statuses) < 100 and set(many.statuses) == {200} and many.ended


@pytest.mark.parametrize(
    "host", [b"localhost", b"127.0.0.1:8000", b"[::1]:80", b"a-b.c_d.example", b"xn--bcher-kva.ch", b""]
)
def test_valid_hosts(server: Server, host: bytes) -> None:
    received = exchange(server, b"GET /livez HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n")
    assert received.statuses == [200]
