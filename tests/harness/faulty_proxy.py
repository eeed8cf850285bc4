"""An HTTP proxy in front of an object store, whose answers a test can spoil."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

Fault = Callable[["Exchange"], None]


class Lost(Exception):
    """The connection is closed instead of an answer."""


class Exchange(BaseHTTPRequestHandler):
    """One request. A fault may change the request before `forward`, and the answer after it.

    Attributes:
        status, body: the answer.
        claimed: the Content-Length of the answer, if not that of `body`.
    """

    protocol_version = "HTTP/1.1"
    server: "FaultyProxy"
    status: int
    body: bytes
    claimed: int | None

    def handle_method(self) -> None:
        """Answers it."""
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer_headers: list[tuple[str, str]] = []
        self.claimed = None
        self.server.requests.append(f"{self.command} {self.path}")
        try:
            self.server.fault(self)
        except (Lost, OSError):
            self.close_connection = True
            return
        self.send_response_only(self.status)
        for name, value in self.answer_headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(self.body) if self.claimed is None else self.claimed))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)
        self.close_connection |= self.claimed is not None

    def forward(self, *, without: str = "") -> None:
        """Has the store answer it, without that header."""
        connection = http.client.HTTPConnection(self.server.store, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != without.lower()}
            connection.request(self.command, self.path, self.sent, headers)
            answer = connection.getresponse()
            self.status, self.body = answer.status, answer.read()
            hidden = {"transfer-encoding", "connection"} | ({"content-length"} if self.command != "HEAD" else set())
            self.answer_headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in hidden]
        finally:
            connection.close()

    def answer(self, status: int, body: bytes = b"") -> None:
        """Answers it without the store."""
        self.status, self.body = status, body

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_method  # noqa: N815 - the names that the base class asks for

    def log_message(self, *_: object) -> None:
        """Keeps the output of tests clean."""


class FaultyProxy(ThreadingHTTPServer):
    """Forwards every request to the store at `address` unless `fault` does something else with it; a context manager.

    Attributes:
        fault: called with each request; may be replaced at any time.
        requests: the lines of all requests.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.store = urlsplit(address).netloc
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.fault: Fault = Exchange.forward
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()
