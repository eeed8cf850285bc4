"""The short way of a prediction: from the parser of HTTP straight into a micro-batch, and from there to the socket.

What uvicorn does for each request (a scope, a task, two events for an answer) takes as long as all the rest of a prediction
of a small model. So a small POST for predictions that comes in one piece is looked at when it is whole. If it is plain it is
answered without all that. If anything about it is unusual or wrong it goes the long way, as if it had never been here.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api.prediction_paths import meant
from service.api.problems import answer_to
from service.use_cases.current_versions import Key

LARGEST = 65_536  # bytes of a body that may go this way

Lines = list[tuple[bytes, bytes]]


class Exchange:
    """A small POST for predictions that is whole, and its answer to come. For uvicorn it is what it calls a cycle, for a
    micro-batch the one who waits."""

    __slots__ = (
        "_protocol",
        "about",
        "answered",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "key",
        "response_complete",
    )
    answered: Callable[[int], None]  # is told the status

    def __init__(self, protocol: "ShortWay", key: Key, headers: dict[bytes, bytes], body: bytes) -> None:
        self._protocol = protocol
        self.key = key
        self.headers = headers
        self.body = body
        self.about = b""  # lines of the answer's head
        self.keep_alive = protocol.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self.disconnected or self._protocol.transport.is_closing()

    def set_result(self, body: bytes) -> None:
        """Sends the answer."""
        self._send(200, self.about, body)

    def set_exception(self, error: Exception) -> None:
        """Sends what the one table of errors has for it."""
        refused: Response = answer_to(error)
        lines = [line for line in refused.raw_headers if line[0] != b"content-length"]
        self._send(refused.status_code, rendered(lines), bytes(refused.body))

    def _send(self, status: int, about: bytes, body: bytes) -> None:
        protocol = self._protocol
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%b%b%b%b" % (STATUS_LINE[status], _common(protocol.server_state.default_headers), about, close)
        protocol.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self.answered(status)
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    @property
    def message_event(self) -> "Exchange":
        """What uvicorn rings when a connection is lost; nobody listens."""
        return self

    def set(self) -> None:
        """Rings it."""


class ShortWay(HttpToolsProtocol):
    """uvicorn's protocol, which first offers small POSTs for predictions to `answer`. That one returns False where the long
    way must be gone; after True it will call the exchange's `set_result` or `set_exception`."""

    def __init__(self, *arguments: Any, answer: Callable[[Exchange], bool], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._answer = answer
        self._gathered: list[bytes] | None = None  # the body of a request that may go the short way
        self._key: Key = ("", None)
        self._told: dict[bytes, bytes] = {}

    def data_received(self, data: bytes) -> None:
        """What has not come whole by its end goes the long way: nothing is half gathered between two reads."""
        super().data_received(data)
        if self._gathered is not None:
            self._go_the_long_way()

    def on_message_begin(self) -> None:
        """A scope is only made for what goes the long way."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Begins to gather, or goes the long way."""
        key = _asked(self.url) if self.parser.get_method() == b"POST" else None
        if key is not None and (self.cycle is None or self.cycle.response_complete) and self._small():
            self._key, self._gathered = key, []
        else:
            self._begin_the_long_way()

    def on_body(self, body: bytes) -> None:
        """Gathers."""
        if self._gathered is None:
            super().on_body(body)
        else:
            self._gathered.append(body)

    def on_message_complete(self) -> None:
        """Offers what is whole."""
        if self._gathered is None:
            super().on_message_complete()
            return
        exchange = Exchange(self, self._key, self._told, b"".join(self._gathered))
        if self._answer(exchange):
            self._gathered, self.cycle = None, exchange  # type: ignore[assignment]
        else:
            self._go_the_long_way()
            super().on_message_complete()

    def _small(self) -> bool:
        """Whether nothing about the head wants more than the body that follows, and that is small. Each name stands once."""
        told = self._told = dict(self.headers)
        length = told.get(b"content-length", b"")
        return (
            len(told) == len(self.headers)
            and length.isdigit()
            and len(length) < 6
            and int(length) <= LARGEST
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
        )

    def _begin_the_long_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _go_the_long_way(self) -> None:
        gathered, self._gathered = self._gathered or [], None
        self._begin_the_long_way()
        for each in gathered:
            super().on_body(each)


def rendered(lines: Lines) -> bytes:
    """Lines of a head."""
    return b"".join(b"%b: %b\r\n" % line for line in lines)


@lru_cache(maxsize=4096)
def _asked(url: bytes) -> Key | None:
    """The model and the reference of a plain path; None for every other URL."""
    return None if b"%" in url or b"?" in url else meant(url.decode("latin-1"))


_last: tuple[Lines, bytes] = ([], b"")


def _common(lines: Lines) -> bytes:
    """The lines that every answer has; uvicorn makes a new list each second."""
    global _last
    if _last[0] is not lines:
        _last = lines, rendered(lines)
    return _last[1]
