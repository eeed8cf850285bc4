"""JSON values over a stream socket, one a line: how the service, the trainer server and the attempts talk."""

import socket
from typing import Any

import orjson

CHUNK = 1 << 16


class Lines:
    """One end of a stream of JSON lines."""

    def __init__(self, stream: socket.socket) -> None:
        self.socket = stream
        self._rest = b""

    def send(self, value: object) -> None:
        """Sends one value.

        Raises:
            OSError: the other end is gone.
        """
        self.socket.sendall(orjson.dumps(value) + b"\n")

    def receive(self) -> list[Any] | None:
        """The values of the next chunk, perhaps none whole yet; None at the end of the stream."""
        try:
            chunk = self.socket.recv(CHUNK)
        except ConnectionError:
            return None
        return self.feed(chunk) if chunk else None

    def feed(self, chunk: bytes) -> list[Any]:
        """The values that a chunk completes."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [orjson.loads(line) for line in whole]

    def one(self) -> Any:
        """Waits for one value.

        Raises:
            EOFError: the stream ended before.
        """
        while (values := self.receive()) is not None:
            if values:
                return values[0]
        raise EOFError

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()
