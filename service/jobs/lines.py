"""JSON values over a stream socket, one a line: how the service, the trainer server and the attempts talk."""

import select
import socket
from collections import deque
from typing import Any

import orjson

CHUNK = 1 << 16


class Lines:
    """One end of a stream of JSON lines."""

    def __init__(self, stream: socket.socket) -> None:
        self.socket = stream
        self._unfinished: list[bytes] = []  # pieces of a line, joined once: a long one costs no more than its length
        self._waiting: deque[Any] = deque()

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
        first, *others = chunk.split(b"\n")
        self._unfinished.append(first)
        if not others:
            return []
        whole = [b"".join(self._unfinished), *others[:-1]]
        self._unfinished = [others[-1]]
        return [orjson.loads(line) for line in whole]

    def one(self) -> Any:
        """Waits for one value.

        Raises:
            EOFError: the stream ended before.
        """
        while not self._waiting:
            values = self.receive()
            if values is None:
                raise EOFError
            self._waiting.extend(values)
        return self._waiting.popleft()

    def any(self) -> bool:
        """Whether `one` would have something to take. Never waits."""
        return bool(self._waiting) or bool(select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()
