"""Requests for predictions byte by byte, and answers without what differs by request."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing

import httpx

from tests.harness.server import Server

OVER_ASGI = {"Content-Encoding": "identity"}  # no request with this header takes the fast path


def comparable(answer: httpx.Response) -> bytes:
    """The body without the values that differ by request."""
    return re.sub(rb'"request_id":"[^"]*",?', b"", answer.content)


def headers_of(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """The headers without those that differ by request."""
    return (
        (n.lower(), v) for n, v in answer.headers.items() if n.lower() not in ("date", "content-length", "request-id")
    )


def post_bytes(body: bytes, *lines: str, path: str) -> bytes:
    """The bytes of a POST with these further lines in its head."""
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body


def connected(server: Server) -> "closing[socket.socket]":
    host, port = server.url.removeprefix("http://").split(":")
    return closing(socket.create_connection((host, int(port)), timeout=30))


def until_closed(connection: socket.socket) -> bytes:
    """Reads until the server closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))
