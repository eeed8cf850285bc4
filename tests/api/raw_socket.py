"""Requests as raw bytes over a socket, which no HTTP library would send, and what the server sends until the connection
ends."""

import re
import select
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from tests.harness.server import Server

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) ")


@dataclass(frozen=True)
class Received:
    """The bytes received."""

    text: bytes
    ended: bool  # whether the server has closed the connection
    seconds: float

    @cached_property
    def statuses(self) -> list[int]:
        """The status of each response."""
        return [int(each) for each in _STATUS.findall(self.text)]


def connect(server: Server) -> socket.socket:
    """A connection."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def listen(connection: socket.socket, timeout: float) -> Received:
    """Reads until the connection ends, or until nothing has come for `timeout` seconds."""
    began, text, ended = time.monotonic(), b"", False
    connection.settimeout(timeout)
    with suppress(TimeoutError):
        with suppress(ConnectionError):
            while piece := connection.recv(65_536):
                text += piece
        ended = True
    return Received(text, ended, time.monotonic() - began)


def nothing_to_read(connection: socket.socket) -> bool:
    """Whether there is nothing to read, not even the end of the connection."""
    return not select.select([connection], [], [], 0)[0]


def exchange(server: Server, *pieces: bytes, timeout: float = 20.0) -> Received:
    """Sends the pieces one by one, then reads."""
    with connect(server) as connection:
        with suppress(ConnectionError):  # the server may have answered and closed before everything is sent
            for piece in pieces:
                connection.sendall(piece)
        return listen(connection, timeout)
