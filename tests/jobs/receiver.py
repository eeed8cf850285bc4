"""A receiver of webhooks: a real HTTP server on a free port that keeps the requests."""

import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers each request with the next of the given statuses, and further ones with the last status.

    Args:
        statuses: of the responses, in order.
        port: to listen on; 0 for a free one.
        delay: seconds before each response.
        certificate, key: of TLS; plain HTTP without them.
    """

    def __init__(
        self,
        *statuses: int,
        port: int = 0,
        delay: float = 0.0,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.answered = 0
        receiver, released = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.calls.append(Call(self.path, headers, body))
                status = statuses[min(len(receiver.calls), len(statuses)) - 1]
                released.wait(delay)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}elsewhere")
                self.send_header("Content-Length", "6")
                self.end_headers()
                self.wfile.write(b"secret")
                receiver.answered += 1

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):  # the client has disconnected
                    super().handle()

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                if certificate is None:
                    return super().finish_request(request, client_address)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, key)
                with suppress(OSError), context.wrap_socket(request, server_side=True) as secured:
                    return super().finish_request(secured, client_address)

        self._released = released
        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
