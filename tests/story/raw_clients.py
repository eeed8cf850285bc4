"""Clients on plain sockets, which know of each request whether it was sent and whether it was answered."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

PATIENCE = 60.0
BODY = b'{"inputs": {"x": [0.1, 0.9]}}'
HEAD = (
    b"POST /v1/models/line/versions/1/predictions HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)


class Connection:
    """One connection, used until the service announces that it closes it.

    Raises:
        OSError: the connection is refused.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=PATIENCE)
        self._buffer = b""
        self.over = False  # whether a response had `Connection: close`

    def send(self, data: bytes) -> None:
        """Sends all of the data."""
        self._socket.sendall(data)

    def answer(self) -> tuple[int, bytes]:
        """The status and the head of a complete response.

        Raises:
            ConnectionError: the connection ended before.
        """
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        head = head.lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(self._buffer) < length:
            self._read()
        self._buffer = self._buffer[length:]
        self.over = b"connection: close" in head
        return int(head.split()[1]), head

    def closed(self) -> bool:
        """Waits for the next event: whether it is the end of the connection, and not a reset."""
        return self._socket.recv(1) == b""

    def close(self) -> None:
        """Closes it."""
        self._socket.close()

    def _read(self) -> None:
        chunk = self._socket.recv(65_536)
        if not chunk:
            raise ConnectionError("the connection ended before the answer did")
        self._buffer += chunk


class Clients:
    """Clients of several kinds that send requests until connections are refused."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.answered = 0
        self.dropped: list[str] = []  # requests that were sent and never answered
        self.not_last: list[float] = []  # send times of requests whose response did not announce the close
        self._lock = threading.Lock()
        habits: list[Callable[[Connection], None]] = [_one, _one, _one, _hesitating, _pipelining, _slow_body]
        keeps = [True, True, False, True, True, False]
        self._threads = [
            threading.Thread(target=self._ask, args=about, name=about[0].__name__)
            for about in zip(habits, keeps, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits until connections are refused."""
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), "a client still waits for an answer"

    def _ask(self, habit: Callable[[Connection], None], keeps: bool) -> None:
        while True:
            try:
                connection = Connection(self.address)
            except OSError:
                return  # connection refused: nothing was sent
            with contextlib.closing(connection):
                over = False
                while not over:
                    began = time.monotonic()
                    try:
                        habit(connection)
                    except (OSError, AssertionError) as error:
                        with self._lock:
                            self.dropped.append(f"{habit.__name__}: {error!r}")
                        return
                    over = connection.over or not keeps
                    with self._lock:
                        self.answered += 1
                        if not connection.over:
                            self.not_last.append(began)


def _one(connection: Connection) -> None:
    connection.send(HEAD + BODY)
    _answered(connection)


def _hesitating(connection: Connection) -> None:
    time.sleep(0.05)  # idle most of the time, like pooled connections
    _one(connection)


def _pipelining(connection: Connection) -> None:
    """Three requests at once. Their heads are read together: only the third response may be the last."""
    connection.send((HEAD + BODY) * 3)
    for _ in range(3):
        _answered(connection)


def _slow_body(connection: Connection) -> None:
    """Sends the head first, and the body in two pieces later."""
    connection.send(HEAD)
    for piece in (BODY[:10], BODY[10:]):
        time.sleep(0.1)
        connection.send(piece)
    _answered(connection)


def _answered(connection: Connection) -> None:
    status, _ = connection.answer()
    assert status == 200, status
