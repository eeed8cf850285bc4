"""The end of the grace time of a stop: requests without an answer get 503, and the process ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson

STUCK = {
    "waits": b"GET /v1/models",
    "changes": b"POST /v1/audited",
    "threads": b"GET /v1/threads",
    "short": b"POST /v1/short",
}
STREAM = b"GET /v1/streams"


def test_requests_without_an_answer_get_503_when_the_grace_time_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.api.stuck_server", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline())
        connections = {what: _send(port, line) for what, line in (STUCK | {"streams": STREAM}).items()}
        for _ in connections:
            assert process.stdout.readline() == b"under way\n"
        process.send_signal(signal.SIGTERM)
        answers = {what: _read_all(connection) for what, connection in connections.items()}
        log = process.stderr.read().decode()
    assert process.returncode == 0, log
    for what in STUCK:
        head, _, body = answers[what].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 "), (what, head)
        assert b"\r\nconnection: close" in head.lower() and b"retry-after" in head.lower(), (what, head)
        assert head.lower().count(b"connection:") == 1
        assert orjson.loads(body)["code"] == "unavailable"
    assert answers["streams"].endswith(b"first\r\n"), "an aborted stream must not look complete"
    assert "Traceback" not in log and '"level":"error"' not in log, log


def _send(port: int, line: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    body = b"\r\ncontent-length: 2\r\n\r\n{}" if line.startswith(b"POST") else b"\r\n\r\n"
    connection.sendall(line + b" HTTP/1.1\r\nhost: 127.0.0.1" + body)
    return connection


def _read_all(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(60)
        return b"".join(iter(lambda: connection.recv(65536), b""))
