"""What a client does that no HTTP library would: bytes as they are, and what comes back until the connection ends."""

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
class Heard:
    """What came back."""

    text: bytes
    ended: bool  # whether the server has closed the connection
    seconds: float

    @cached_property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(each) for each in _STATUS.findall(self.text)]


def connect(server: Server) -> socket.socket:
    """A connection."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def listen(connection: socket.socket, patience: float) -> Heard:
    """All that comes until the end, or until nothing has come for so many seconds."""
    began, text, ended = time.monotonic(), b"", False
    connection.settimeout(patience)
    with suppress(TimeoutError):
        with suppress(ConnectionError):
            while piece := connection.recv(65_536):
                text += piece
        ended = True
    return Heard(text, ended, time.monotonic() - began)


def silent(connection: socket.socket) -> bool:
    """Whether there is nothing to read, the end included."""
    return not select.select([connection], [], [], 0)[0]


def exchange(server: Server, *pieces: bytes, patience: float = 20.0) -> Heard:
    """Sends the pieces, each as it is, and listens."""
    with connect(server) as connection:
        with suppress(ConnectionError):  # it may have answered and closed before all is sent
            for piece in pieces:
                connection.sendall(piece)
        return listen(connection, patience)
