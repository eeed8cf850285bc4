"""A TCP proxy in front of a server that cuts connections after so many bytes."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

PIECE = 2**16


class CuttingProxy:
    """Forwards connections, and counts the bytes in each direction. A connection that has brought the bytes of the next cut in
    one direction, and no more of them, is closed at once on both sides.

    Args:
        url: of the server.
        up: after how many bytes to the server to cut, one number for each cut.
        down: the same for bytes from the server.
        before_cut: is called before a connection is cut.
    """

    def __init__(
        self,
        url: str,
        *,
        up: list[int] | None = None,
        down: list[int] | None = None,
        before_cut: Callable[[], None] = lambda: None,
    ) -> None:
        self.forward_to(url)
        self._before_cut = before_cut
        self._cuts = {"up": list(up or ()), "down": list(down or ())}
        self.bytes = {"up": 0, "down": 0}
        self.connections = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def forward_to(self, url: str) -> None:
        """The server of new connections."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)

    @property
    def cuts_left(self) -> int:
        """How many cuts are still to come."""
        return sum(map(len, self._cuts.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._target)
            except OSError:  # it is away
                client.close()
                continue
            for way in (("up", client, server), ("down", server, client)):
                self._threads.append(threading.Thread(target=self._forward, args=way))
                self._threads[-1].start()

    def _forward(self, direction: str, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(PIECE):
                with self._lock:
                    cut = bool(self._cuts[direction]) and passed + len(piece) >= self._cuts[direction][0]
                    if cut:
                        piece = piece[: max(0, self._cuts[direction].pop(0) - passed)]
                    self.bytes[direction] += len(piece)
                    passed += len(piece)
                target.sendall(piece)
                if cut:
                    self._before_cut()
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()  # in which no other thread waits
