"""JSON values over a stream socket, one a line: how the service, the trainer server and the attempts talk."""

import socket
from collections import deque
from typing import Any

import orjson

CHUNK = 1 << 16
MOST_CHUNKS = 64  # read of one that has ended: more than a socket holds


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

    def arrived(self) -> list[Any]:
        """The values that are there already; does not wait.

        Raises:
            EOFError: the stream has ended.
        """
        while True:
            try:
                chunk = self.socket.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise EOFError
            self._waiting.extend(self.feed(chunk))
        arrived = list(self._waiting)
        self._waiting.clear()
        return arrived

    def rest(self) -> list[Any]:
        """The values that are there, when the other end has nothing more to say; does not wait, even where somebody else
        still holds it."""
        rest: list[Any] = []
        for _ in range(MOST_CHUNKS):
            try:
                chunk = self.socket.recv(CHUNK, socket.MSG_DONTWAIT)
            except OSError:
                break
            if not chunk:
                break
            rest += self.feed(chunk)
        return rest

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

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()
