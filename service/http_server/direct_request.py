"""A complete request that is answered on its connection, without ASGI: uvicorn's work for a request over ASGI takes as long as
a prediction of a small model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from service.http_server.connection import Connection

MOST_BODY_BYTES = 262_144
LONGEST_URL = 256  # bytes

Lines = list[tuple[bytes, bytes]]


class FastPath(Protocol):
    """Answers some requests without ASGI."""

    def find(self, path: str) -> Any | None:
        """The target of a POST to this path, for `answer`; None if it must go over ASGI."""

    def answer(self, request: "DirectRequest", target: Any) -> bool:
        """Returns whether the request is answered by `request.send`, now or later. Otherwise it goes over ASGI."""


class DirectRequest:
    """A POST with its complete body. uvicorn uses it like a `RequestResponseCycle`.

    Args:
        connection: on which it was received.
        headers: by name in lower case; no name was repeated.
        body: complete.
        keep_alive: whether the connection stays open after the response.
    """

    __slots__ = (
        "_connection",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "on_cut_off",
        "response_complete",
        "url",
    )
    more_body = False

    def __init__(self, connection: "Connection", headers: dict[bytes, bytes], body: bytes, keep_alive: bool) -> None:
        self._connection = connection
        self.url = connection.url
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.on_cut_off: Callable[[], None] | None = None

    @property
    def path(self) -> str:
        """The path, which has no query."""
        return self.url.decode("latin-1")

    @property
    def client(self) -> tuple[str, int] | None:
        """The address and the port that the connection is from; None if they are not known."""
        return self._connection.client

    def is_over(self) -> bool:
        """Whether it has been answered, or the connection is closed."""
        return self.response_complete or self.disconnected or self._connection.transport.is_closing()

    def send(self, status: int, head: bytes, body: bytes) -> None:
        """Sends the response, unless the request is over. `head` has all header lines but Content-Length and Connection."""
        if self.is_over():
            return
        connection = self._connection
        default = _rendered_once(connection.server_state.default_headers)
        close = b"" if self.keep_alive else b"connection: close\r\n"
        lines = (STATUS_LINE[status], default, head, close, len(body), body)
        connection.transport.write(b"%b%b%b%bcontent-length: %d\r\n\r\n%b" % lines)
        self.response_complete = True
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def cut_off(self) -> None:
        """Ends a request that has no response yet, because the server shuts down."""
        self.keep_alive = False
        if not self.response_complete and self.on_cut_off is not None:
            self.on_cut_off()

    @property
    def response_started(self) -> bool:
        """Whether the response has begun: it is sent in one piece."""
        return self.response_complete

    @property
    def message_event(self) -> "DirectRequest":
        """Stands for the event that uvicorn sets when the connection is lost."""
        return self

    def set(self) -> None:
        """Does nothing: nothing waits for a message."""


def rendered(lines: Lines) -> bytes:
    """The lines of a message's head as bytes."""
    return b"".join(b"%b: %b\r\n" % line for line in lines)


_last: tuple[Lines, bytes] = ([], b"")


def _rendered_once(lines: Lines) -> bytes:
    """The rendered default headers; uvicorn makes a new list of them each second."""
    global _last
    if _last[0] is not lines:
        _last = lines, rendered(lines)
    return _last[1]
