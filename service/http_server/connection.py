"""One HTTP connection: uvicorn's protocol with limits on sizes and times, and with checks against request smuggling."""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from weakref import WeakKeyDictionary

import httptools
from starlette.responses import Response
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.http_server.direct_request import LONGEST_URL, MOST_BODY_BYTES, DirectRequest, FastPath
from service.http_server.errors import (
    AddressTooLong,
    HeadTooLarge,
    HttpError,
    MalformedRequest,
    TooManyConnections,
)
from service.http_server.fair_start import FairStart
from service.http_server.half_closing import HalfClosing, Trailers
from service.http_server.request_head import MOST_HEAD_BYTES, check_head, check_protocol
from service.http_server.sockets import has_unread
from service.http_server.time_limits import TimeLimits
from service.http_server.timeouts import Timeouts

PIECE = 32 * 2**10  # bytes that are parsed before the limits are checked again
MOST_PIPELINED = 16  # requests that may wait behind another
LONG_BODY = 64 * 2**10  # bytes of a body above which an early response does not wait for its end
WAKE_BYTES = 4 * 2**10  # bytes of a body that wake its reader before it is whole
SETTLE_SECONDS = 0.2  # of a shutdown, for established connections to be accepted and for their requests to arrive
LINGER_BYTES = 64 * 2**10  # of a body that are still read after the response

AnswerTo = Callable[[HttpError], Response]  # makes the response to a request that is refused
Refused = Callable[[str, str, int], None]  # is called with method and path, `-` for what is not known, and the status

_NOTHING, _HEAD, _BODY = 0, 1, 2  # the part of a request that is being received


class State(ServerState):
    """What the connections of a server share."""

    stopping = False


class Connection(HttpToolsProtocol):
    """The protocol of a connection that has received bytes (before that: `IdleConnection`), or that is beyond the limit.

    Args:
        answer_to: makes the response to a request that is refused here.
        refused: is called after each refusal, for the log and the metrics.
        fast_path: answers some requests without ASGI.
    """

    # Class attributes: most connections keep these defaults, which take no memory there.
    _part = _NOTHING
    received = 0  # bytes in all
    _unframed = 0  # bytes since the last complete head or piece of a body
    _begun: bytes | None = None  # of an incomplete head, the pieces before the last one
    _piece: bytes | memoryview = b""
    _by_lines = False  # whether each piece of the body wakes its reader
    _late = False  # whether the body is long or of unknown length, and incomplete
    _keeps_alive = True  # what the client requested, to be restored once such a body is complete
    _discards = False  # whether received bytes are discarded
    lingers = False  # whether it is closed for writing
    _discarded = 0  # bytes
    _gathered: list[bytes] | None = None  # the body so far of a request that may take the fast path
    _target: Any = None  # of that request
    _by_name: dict[bytes, bytes]  # its headers
    _length: int | None  # of its body

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        answer_to: AnswerTo,
        refused: Refused,
        fast_path: FastPath | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.ws_protocol_class = None
        self._answer_to = answer_to
        self._refused = refused
        self._fast_path = fast_path
        self._limits = TimeLimits(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time limits."""
        super().connection_made(transport)
        self._timeouts, self._fair_start = shared_by(self.server_state, self.loop)
        self._timeouts.add(self)

    def refuse_surplus(self) -> None:
        """Refuses the connection: it is beyond the limit."""
        most = self._timeouts.most
        self._refuse(TooManyConnections(f"there are {most} connections, the most that are held at a time"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the time limits."""
        self._timeouts.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses the bytes in small pieces, between which the limits are checked."""
        size = len(data)
        if self._discards:
            self._discard(size)
            return
        self.received += size
        if size <= PIECE:
            self._parse(data)
            return
        view = memoryview(data)
        for start in range(0, size, PIECE):
            if not self._parse(view[start : start + PIECE]):
                return

    def _parse(self, data: bytes | memoryview) -> bool:
        """Parses a piece, and returns whether to parse more."""
        self._piece = data
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the request is answered as HTTP/1.1, which RFC 9110 allows
            self._stop_reading()
            return False
        except httptools.HttpParserError as error:
            self._refuse_malformed(error.__context__)
            return False
        if self._part:
            if self._begun is not None:
                self._begun += data
            self._unframed += len(data)
            if self._unframed > MOST_HEAD_BYTES + PIECE:
                self._refuse_unframed()
                return False
        return True

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Starts a request. `_pass_on` makes its ASGI scope."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._part, self._unframed, self._begun = _HEAD, 0, b""

    def on_headers_complete(self) -> None:
        """Checks the complete head, and passes the request to the application or gathers its body for the fast path."""
        length, before = self._checked(), self.cycle
        self._target = self._fast_target(length)
        if self._target is not None:
            self._length, self._gathered = length, []
        else:
            self._pass_on(length)
        if self._stopping and before is not None and before is not self.cycle and not before.response_started:
            before.keep_alive = True  # its response is not the connection's last

    def _checked(self) -> int | None:
        """Checks the head. Returns the length of the body in bytes; None if it is chunked.

        Raises:
            HttpError, asyncio.QueueFull: the request is refused.
        """
        if len(self.pipeline) >= MOST_PIPELINED or self.transport.is_closing():  # its last response has been sent
            raise asyncio.QueueFull
        check_protocol(self.url, (self._begun or b"") + bytes(self._piece))
        self._begun = None
        return check_head(self.url, self.headers, self.parser.get_http_version)

    def _pass_on(self, length: int | None) -> None:
        """Passes the request to the application; its body will have `length` bytes, None if it is chunked."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        self._part, self._unframed = _BODY, 0
        self._by_lines = any(name == b"content-type" and b"ndjson" in value.lower() for name, value in headers)
        if length is None or length > LONG_BODY:
            # A response before the end of the body is the last one on this connection.
            self._late = True
            self._keeps_alive, self.cycle.keep_alive = self.cycle.keep_alive, False
            self.cycle.transport = HalfClosing(self)  # type: ignore[assignment]
            self.headers = Trailers()

    def on_body(self, body: bytes) -> None:
        """Appends a piece to the body, or discards it if the request has been answered."""
        self._unframed = 0
        if self._gathered is not None:
            self._gathered.append(body)
            return
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        size = len(cycle.body)
        if size > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        if size >= WAKE_BYTES or self._by_lines:
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Ends the body."""
        if self._gathered is not None and self._answer_directly(self._gathered):
            return
        self._stop_gathering()
        self._part = _NOTHING
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self._late:
            self._late = False
            if not cycle.response_started:
                cycle.keep_alive = self._keeps_alive
        cycle.more_body = False
        cycle.message_event.set()
        if self._stopping:
            self.make_last()

    def on_response_complete(self) -> None:
        """Starts the next pipelined request. `Timeouts` closes an idle connection, which needs no timer."""
        self.server_state.total_requests += 1
        if self.lingers or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    # The fast path

    def _fast_target(self, length: int | None) -> Any | None:
        """The target of a request that may take the fast path: a POST with a small body and a plain head. Else None."""
        if self._fast_path is None or self.parser.get_method() != b"POST":
            return None
        self._by_name = dict(self.headers)
        plain = (
            length is not None
            and length <= MOST_BODY_BYTES
            and len(self._by_name) == len(self.headers)
            and len(self.url) <= LONGEST_URL
            and b"%" not in self.url
            and b"?" not in self.url
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and (self.cycle is None or self.cycle.response_complete)
        )
        return self._fast_path.find(self.url.decode("latin-1")) if plain else None

    def _answer_directly(self, gathered: list[bytes]) -> bool:
        keep_alive = not self._stopping and bool(self.parser.should_keep_alive())
        request = DirectRequest(self, self._by_name, b"".join(gathered), keep_alive)
        if not cast(FastPath, self._fast_path).answer(request, self._target):
            return False
        self._gathered, self.cycle = None, request  # type: ignore[assignment]
        self._part = _NOTHING
        return True

    def _stop_gathering(self) -> None:
        """Passes a request whose body is being gathered to the application."""
        if self._gathered is not None:
            gathered, self._gathered = self._gathered, None
            self._pass_on(self._length)
            for each in gathered:
                self.on_body(each)

    # Shutdown

    @property
    def _stopping(self) -> bool:
        return cast(State, self.server_state).stopping

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._stopping and cycle is self.cycle:
            cycle.keep_alive = False
        self._fair_start.start(partial(super()._start_asgi_task, cycle, app))

    def make_last(self) -> None:
        """Makes the response to the newest request the connection's last, unless it has started."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Closes the connection once no request is pending and no received bytes are unread."""
        self._stop_gathering()
        if has_unread(self.transport):
            self.loop.call_later(SETTLE_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def cut_off(self) -> None:
        """Ends a request on the fast path that has no response yet."""
        cycle: object = self.cycle
        if isinstance(cycle, DirectRequest) and not cycle.response_complete:
            cycle.cut_off()

    # Refusals

    def _refuse_malformed(self, cause: BaseException | None) -> None:
        """Refuses bytes that the parser, or a check in one of its callbacks, has rejected."""
        if isinstance(cause, asyncio.QueueFull):
            self._stop_reading()  # the client may repeat what is not answered
        else:
            self.fail_request(cause if isinstance(cause, HttpError) else MalformedRequest())

    def _refuse_unframed(self) -> None:
        if self._part == _BODY:
            self.fail_request(MalformedRequest("there is more around the pieces of the body than may be"))
        elif self.headers:
            self.fail_request(HeadTooLarge(f"the head of the request has more than {MOST_HEAD_BYTES} bytes"))
        else:
            self.fail_request(AddressTooLong(f"the address has more than {MOST_HEAD_BYTES} bytes"))

    def _stop_reading(self) -> None:
        """Discards further bytes. Requests that were passed on are answered, and the connection closes after the last."""
        self._discards = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def fail_request(self, error: HttpError) -> None:
        """Ends the request that is being received, with the response to this error unless its response has started. If an earlier
        request is pending, the connection closes after its response instead."""
        cycle = self.cycle
        if self._part == _BODY:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self._discards = True
                self.transport.close()
                return
        elif cycle is not None and not cycle.response_complete:
            self._stop_reading()
            return
        self._refuse(error)

    def _refuse(self, error: HttpError) -> None:
        answer = self._answer_to(error)
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        first = b"HTTP/1.1 %d %b" % (answer.status_code, HTTPStatus(answer.status_code).phrase.encode())
        lines = [first, *(b"%b: %b" % each for each in headers)]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body))
        self.half_close()
        url = self.url.partition(b"?")[0].decode("latin-1") if self._part else ""
        self._refused(self.parser.get_method().decode() if self._part == _BODY else "-", url or "-", answer.status_code)

    def half_close(self) -> None:
        """Closes the connection for writing: a full close with unread bytes would reset it, and its last response be lost."""
        if self.transport.is_closing():
            return
        self._discards = self.lingers = True
        self.flow.resume_reading()
        self.transport.write_eof()

    @property
    def receives_head(self) -> bool:
        """Whether the head of a request is incomplete."""
        return self._part == _HEAD

    @property
    def awaits_body(self) -> bool:
        """Whether the body of a request that was passed on is incomplete."""
        return self._part == _BODY

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self.flow.pause_reading()

    def check_timeouts(self, now: float) -> bool:
        """Closes the connection if a limit has passed, and returns whether it did. A body that is being gathered goes over ASGI,
        where its rate and the memory for it are limited."""
        self._stop_gathering()
        return self._limits.check(now)

    def resume_writing(self) -> None:
        """Resumes writing: the client has read."""
        super().resume_writing()
        self._limits.restart()


_shared: WeakKeyDictionary[ServerState, tuple[Timeouts, FairStart]] = WeakKeyDictionary()


def shared_by(state: ServerState, loop: asyncio.AbstractEventLoop) -> tuple[Timeouts, FairStart]:
    """The time limits and the queue that the connections of a server share."""
    if state not in _shared:
        _shared[state] = Timeouts(loop), FairStart(loop)
    return _shared[state]
