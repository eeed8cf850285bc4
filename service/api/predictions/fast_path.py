"""The short way of a prediction: from the parser of HTTP straight into a micro-batch, and from there to the socket.

What uvicorn does for each request (a scope, a task, two events for an answer) takes as long as all the rest of a prediction
of a small model. So a POST for predictions that is not too large is looked at when it is whole. If it is plain it is answered
without all that. If anything about it is unusual or wrong it goes the long way, as if it had never been here.
"""

import time
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.access.keys import ApiKey
from service.api.middleware import access_log
from service.api.predictions.codecs import QUICK, Dialect, Form
from service.api.problems import answer_to
from service.api.security_headers import POLICY
from service.http_server.connection import NOTHING, Connection
from service.http_server.errors import CutOff
from service.serving.warm_models import Served
from service.telemetry.request import REQUEST_ID
from service.use_cases.current_versions import Key

LONGEST_URL = 256  # bytes; those that went this way are remembered

Lines = list[tuple[bytes, bytes]]


class Exchange:
    """A POST for predictions that is whole, and its answer to come. For uvicorn it is what it calls a cycle, for a
    micro-batch the one who waits."""

    __slots__ = (
        "_protocol",
        "answered",
        "began",
        "body",
        "caller",
        "dialect",
        "disconnected",
        "form",
        "headers",
        "keep_alive",
        "key",
        "request_id",
        "response_complete",
        "served",
        "url",
    )
    answered: Callable[[int], None]  # is told the status
    began: float
    caller: ApiKey | None  # who asks
    form: Form  # of the answer
    served: Served
    more_body = False

    def __init__(self, protocol: "ShortWay", asked: "Asked", headers: dict[bytes, bytes], body: bytes) -> None:
        self._protocol = protocol
        self.url = protocol.url
        self.key, self.dialect = asked
        self.headers = headers
        self.body = body
        self.request_id = b""
        self.keep_alive = protocol.keeps_alive()
        self.disconnected = False
        self.response_complete = False

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self.disconnected or self._protocol.transport.is_closing()

    def set_result(self, body: bytes) -> None:
        """Sends the answer."""
        about, told = self.served.about(self.form.media_type), self.form.told
        self._send(200, about + rendered(told) if told else about, body)

    def set_exception(self, error: Exception) -> None:
        """Sends what the one table of errors has for it, and writes it into the access log."""
        request_id = self.request_id.decode()
        token = REQUEST_ID.set(request_id)
        try:
            refused: Response = self.dialect.refuse(answer_to(error))
            lines = [line for line in refused.raw_headers if line[0] != b"content-length"]
            self._send(refused.status_code, rendered(lines), bytes(refused.body))
            state = {"request_id": request_id, "key": self.caller and self.caller.name}
            asked = {"method": "POST", "path": self.url.decode("latin-1"), "state": state}
            access_log.write(asked, refused.status_code, time.perf_counter() - self.began)
        finally:
            REQUEST_ID.reset(token)  # what runs in this turn of the loop belongs to many requests

    def _send(self, status: int, about: bytes, body: bytes) -> None:
        protocol = self._protocol
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%b%b%b%b" % (STATUS_LINE[status], _common(protocol.server_state.default_headers), about, close)
        rest = (head, self.request_id, len(body), body)
        protocol.transport.write(b"%brequest-id: %b\r\ncontent-length: %d\r\n\r\n%b" % rest)
        self.answered(status)
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    @property
    def response_started(self) -> bool:
        """It is sent as a whole."""
        return self.response_complete

    @property
    def message_event(self) -> "Exchange":
        """What uvicorn rings when a connection is lost; nobody listens."""
        return self

    def set(self) -> None:
        """Rings it."""


Asked = tuple[Key, Dialect]
Answer = Callable[[Exchange], bool]


class ShortWay(Connection):
    """A connection that first offers POSTs to `answer`, if their path is one where `asked` knows a model. `answer` returns
    False where the long way must be gone; after True it will call the exchange's `set_result` or `set_exception`."""

    _asked: Asked

    def __init__(
        self,
        *arguments: Any,
        asked: Callable[[str], Asked | None],
        answer: Answer,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._asks = asked
        self._answer = answer
        self._gathered: list[bytes] | None = None  # the body of a request that may go the short way
        self._length: int | None = None
        self._told: dict[bytes, bytes] = {}

    def keeps_alive(self) -> bool:
        """Whether another request may come after the one that is whole now."""
        return bool(self.parser.should_keep_alive())

    def on_headers_complete(self) -> None:
        """Begins to gather, or goes the long way."""
        length = self.checked()
        if self.parser.get_method() == b"POST" and self._is_plain(length):
            asked = self._asks(self.url.decode("latin-1"))
            if asked is not None and (self.cycle is None or self.cycle.response_complete):
                self._asked, self._length, self._gathered = asked, length, []
                return
        self.let_in(length)

    def on_body(self, body: bytes) -> None:
        """Gathers."""
        if self._gathered is None:
            super().on_body(body)
        else:
            self._unframed = 0
            self._gathered.append(body)

    def on_message_complete(self) -> None:
        """Offers what is whole."""
        if self._gathered is None:
            super().on_message_complete()
            return
        exchange = Exchange(self, self._asked, self._told, b"".join(self._gathered))
        if self._answer(exchange):
            self._gathered, self.cycle = None, exchange  # type: ignore[assignment]
            self._part = NOTHING
        else:
            self._go_the_long_way()
            super().on_message_complete()

    def check_timeouts(self, now: float) -> bool:
        """A body that is not whole yet goes the long way: there it is known how long a body may take, and how much of it may
        wait."""
        if self._gathered is not None:
            self._go_the_long_way()
        return super().check_timeouts(now)

    def shutdown(self) -> None:
        """A request whose body is on its way will be answered."""
        if self._gathered is not None:
            self._go_the_long_way()
        super().shutdown()

    def cut_off(self) -> None:
        """A prediction that went the short way and has no answer gets none any more."""
        cycle: object = self.cycle
        if isinstance(cycle, Exchange) and not cycle.response_complete:
            cycle.keep_alive = False
            cycle.set_exception(CutOff())

    def _is_plain(self, length: int | None) -> bool:
        """Whether nothing about the head wants more than the body that follows, and that is not large. Each name stands
        once."""
        told = self._told = dict(self.headers)
        return (
            length is not None
            and length <= QUICK
            and len(told) == len(self.headers)
            and len(self.url) <= LONGEST_URL
            and b"%" not in self.url
            and b"?" not in self.url
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
        )

    def _go_the_long_way(self) -> None:
        gathered, self._gathered = self._gathered or [], None
        self.let_in(self._length)
        for each in gathered:
            super().on_body(each)


def rendered(lines: Lines) -> bytes:
    """Lines of a head."""
    return b"".join(b"%b: %b\r\n" % line for line in lines)


_last: tuple[Lines, bytes] = ([], b"")


def _common(lines: Lines) -> bytes:
    """The lines that every answer has; uvicorn makes a new list each second."""
    global _last
    if _last[0] is not lines:
        _last = lines, rendered([*lines, POLICY])
    return _last[1]
