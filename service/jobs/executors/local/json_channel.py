"""JSON lines over a socket. Nothing is pickled, so no sender can run code here."""

import socket
from collections import deque
from typing import Any

import orjson

CHUNK = 1 << 16
MOST_CHUNKS = 64  # that are read in one call: more than a socket holds


class JsonChannel:
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
        """Waits for the next chunk and returns its values, perhaps none whole yet; None at the end of the stream."""
        chunk = self._read()
        return self.feed(chunk) if chunk else None

    def receive_now(self, chunks: int = MOST_CHUNKS) -> list[Any] | None:
        """The received values of at most so many chunks; does not wait. None at the end of the stream."""
        values = list(self._waiting)
        self._waiting.clear()
        for _ in range(chunks):
            try:
                chunk = self._read(socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not chunk:
                return values or None
            values += self.feed(chunk)
        return values

    def receive_one(self) -> Any:
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

    def feed(self, chunk: bytes) -> list[Any]:
        """The values that a chunk completes."""
        first, *others = chunk.split(b"\n")
        self._unfinished.append(first)
        if not others:
            return []
        whole = [b"".join(self._unfinished), *others[:-1]]
        self._unfinished = [others[-1]]
        return [orjson.loads(line) for line in whole]

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def _read(self, flags: int = 0) -> bytes:
        try:
            return self.socket.recv(CHUNK, flags)
        except ConnectionError:
            return b""
