"""Security headers of responses, and which protocols and heads are refused."""

import socket

import httpx
import pytest

from tests.harness.server import Server

HOST = b"Host: localhost\r\n"
POLICIES = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def answered(server: Server, *pieces: bytes) -> bytes:
    """The bytes received until the end of the connection."""
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/livez", 200), ("GET", "/v1/models", 200), ("GET", "/nothing", 404), ("POST", "/v1/training-jobs", 400)],
)
def test_every_answer_has_security_headers(http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get_list(name) for name in POLICIES} == {name: [POLICIES[name]] for name in POLICIES}


def test_refusals_of_the_protocol_have_security_headers(server: Server) -> None:
    answer = answered(server, b"GET / HTTP/1.1\r\n\r\n").lower()
    assert answer.startswith(b"http/1.1 400")
    assert all(f"{name}: {value}".encode() in answer for name, value in POLICIES.items())


def test_the_page_of_the_documentation_may_run_its_own_scripts_and_no_others(http: httpx.Client) -> None:
    policy = http.get("/docs").headers.get_list("content-security-policy")
    assert len(policy) == 1 and "script-src 'self';" in policy[0] and "default-src 'none'" in policy[0]


@pytest.mark.parametrize(
    "line",
    [b"GET /livez HTTP/0.9", b"GET /livez", b"GET /livez HTTP/2.0", b"GET /livez RTSP/1.0", b"OPTIONS * RTSP/1.1"],
)
def test_requests_that_are_not_http_1_are_refused(server: Server, line: bytes) -> None:
    head = line + b"\r\n" + HOST + b"Connection: close\r\n\r\n"
    assert answered(server, head).startswith((b"HTTP/1.1 505", b"HTTP/1.1 400"))
    assert answered(server, head[:12], head[12:]).startswith((b"HTTP/1.1 505", b"HTTP/1.1 400"))


def test_an_upgrade_header_is_ignored(server: Server) -> None:
    head = b"GET /livez?RTSP/1.0 HTTP/1.1\r\n" + HOST + b"Via: GET /livez RTSP/1.0\r\nConnection: close\r\n\r\n"
    assert answered(server, head).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("size", "status"), [(64 * 2**10, 200), (64 * 2**10 + 32, 431)])
def test_a_head_has_64_kib(server: Server, size: int, status: int) -> None:
    head = b"GET /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\nX: \r\n\r\n"
    filled = head.replace(b"X: ", b"X: " + b"x" * (size - len(head) - 8))
    assert answered(server, filled).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize(
    ("target", "status"), [(b"http://localhost/livez", 200), (b"http://other.example/livez", 400), (b"//x/y", 404)]
)
def test_an_absolute_target_must_match_host(server: Server, target: bytes, status: int) -> None:
    answer = answered(server, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("key", ["", "a b", "caf\xe9", "a\tb", "k" * 256])
def test_an_idempotency_key_is_visible_characters(http: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = http.post("/v1/training-jobs", json={"model_name": "none"}, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
