"""One connection: limits on what a client may send before its request is routed, and on how long it may take.

uvicorn's protocol has no such limits. Clients that send slowly, never read, or send what two parsers would read as different
requests are refused here.
"""

import array
import asyncio
import fcntl
import socket
import termios
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary

import httptools
from starlette.responses import Response
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.http_server.errors import (
    AddressTooLong,
    HeadTooLarge,
    HttpError,
    MalformedRequest,
    TooManyConnections,
    TooSlow,
)
from service.http_server.fair_start import FairStart
from service.http_server.request_head import MOST_HEAD_BYTES, check_head, check_protocol
from service.http_server.timeouts import Timeouts

PIECE = 32 * 2**10  # bytes that are parsed before the limits are checked again
MOST_PIPELINED = 16  # requests that may wait for the answer to one before them
LATE = 64 * 2**10  # bytes of a body above which its end is not awaited when its request is answered early
ENOUGH = 4 * 2**10  # bytes of a body that wake its reader before it is whole
LINGER_BYTES = 64 * 2**10  # of a body that are still read once its request has been answered

# Connections are checked every half second, and a limit starts with the first check that finds the connection waiting: each of
# these may take up to a second longer. So nothing that is to end within 10 seconds lasts longer.
IDLE_SECONDS = 8.5  # between two requests
HEAD_SECONDS = 8.0  # from the first byte of a request to the end of its head
BODY_SECONDS = 8.0  # over which a body must come at
LEAST_RATE = 1024  # bytes a second
UNREAD_SECONDS = 8.5  # in which nothing of an answer that waits arrives
LINGER_SECONDS = 2.0  # for a client to read why it was refused

AnswerTo = Callable[[HttpError], Response]  # the answer to a request that is refused
Refused = Callable[[str, str, int], None]  # is called with method and path, `-` for what is not known, and the status

NOTHING, _HEAD, _BODY = 0, 1, 2  # the part of a request that has begun and not ended
_UNREAD, _LINGERING, _NEW = object(), object(), object()


class Connection(HttpToolsProtocol):
    """The protocol of a connection that has received bytes (before that: `idle_connection.py`), or is one too many.

    Args:
        answer_to: gives the answer to a request that is refused here.
        refused: is called after each refusal, for the log and the metrics.
    """

    # Class attributes: most connections keep these values, and need no memory for them.
    _part = NOTHING
    _received = 0  # bytes in all
    _unframed = 0  # bytes since a head, or a piece of a body, was whole
    _begun: bytes | None = None  # of a head that is not whole, the pieces before the last one
    _piece: bytes | memoryview = b""
    _by_lines = False  # whether each piece of the body is wanted as it comes
    _late = False  # whether a body is awaited that is long, or of unknown length
    _keeps_alive = True  # as the client has asked, while the body may still fail
    _discards = False  # whether received bytes are thrown away
    _lingers = False
    _waits_for: object = None  # what the connection waited for at the last check: an object that is new with each wait
    _since = 0.0  # when that was first seen
    _unsent = _discarded = 0  # bytes
    _pace: deque[tuple[float, int]]  # of a body that does not come at once: how many bytes were there, and when

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        answer_to: AnswerTo,
        refused: Refused,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.ws_protocol_class = None
        self._answer_to = answer_to
        self._refused = refused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time limits."""
        super().connection_made(transport)
        self._timeouts, self._fair_start = shared_by(self.server_state, self.loop)
        self._timeouts.add(self)

    def refuse_surplus(self) -> None:
        """Refuses the connection because there are too many."""
        most = self._timeouts.most
        self._refuse(TooManyConnections(f"there are {most} connections, the most that are held at a time"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the time limits."""
        self._timeouts.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses the bytes in small pieces, so that no limit is passed by much."""
        size = len(data)
        if self._discards:
            self._discard(size)
            return
        self._received += size
        if size <= PIECE:
            self._parse(data)
            return
        view = memoryview(data)
        for start in range(0, size, PIECE):
            if not self._parse(view[start : start + PIECE]):
                return

    def _parse(self, data: bytes | memoryview) -> bool:
        """Whether more may follow."""
        self._piece = data
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the request is answered as if it had not asked for it
            self._stop_reading()
            return False
        except httptools.HttpParserError as error:
            self._broken(error.__context__)
            return False
        if self._part:
            if self._begun is not None:
                self._begun += data
            self._unframed += len(data)
            if self._unframed > MOST_HEAD_BYTES + PIECE:
                self._endless()
                return False
        return True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._fair_start.start(partial(super()._start_asgi_task, cycle, app))

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """A request begins. Its ASGI scope is made by `let_in`."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._part, self._unframed, self._begun = _HEAD, 0, b""

    def on_headers_complete(self) -> None:
        """The head is whole: it is checked, and the request passed to the application."""
        self.let_in(self.checked())

    def checked(self) -> int | None:
        """Checks the head. Returns the bytes that the body will have; None when it comes in chunks.

        Raises:
            HttpError, asyncio.QueueFull: the request is refused.
        """
        if len(self.pipeline) >= MOST_PIPELINED:
            raise asyncio.QueueFull
        check_protocol(self.url, (self._begun or b"") + bytes(self._piece))
        self._begun = None
        return check_head(self.url, self.headers, self.parser.get_http_version)

    def let_in(self, length: int | None) -> None:
        """Passes the request to the application; its body will have `length` bytes."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        self._part, self._unframed = _BODY, 0
        self._by_lines = any(name == b"content-type" and b"ndjson" in value.lower() for name, value in headers)
        if length is None or length > LATE:
            # Until the body is there, an answer is the last one on this connection.
            self._late = True
            self._keeps_alive, self.cycle.keep_alive = self.cycle.keep_alive, False
            self.cycle.transport = _HalfClosing(self)  # type: ignore[assignment]
            self.headers = _Trailers()

    def on_body(self, body: bytes) -> None:
        """Adds a piece to the body, or drops it once the request has been answered."""
        self._unframed = 0
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        size = len(cycle.body)
        if size > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        if size >= ENOUGH or self._by_lines:
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._part = NOTHING
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self._late:
            self._late = False
            if not cycle.response_started:
                cycle.keep_alive = self._keeps_alive
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Starts the next request that waits. `Timeouts` closes an idle connection, which needs no timer."""
        self.server_state.total_requests += 1
        if self._lingers or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    # Refusals

    def _broken(self, cause: BaseException | None) -> None:
        """Refuses bytes that are no request."""
        if isinstance(cause, asyncio.QueueFull):
            self._stop_reading()  # the client may send the rest again
        else:
            self._give_up(cause if isinstance(cause, HttpError) else MalformedRequest())

    def _endless(self) -> None:
        if self._part == _BODY:
            self._give_up(MalformedRequest("there is more around the pieces of the body than may be"))
        elif self.headers:
            self._give_up(HeadTooLarge(f"the head of the request has more than {MOST_HEAD_BYTES} bytes"))
        else:
            self._give_up(AddressTooLong(f"the address has more than {MOST_HEAD_BYTES} bytes"))

    def _stop_reading(self) -> None:
        """Discards further bytes: the requests that were passed on are answered, and the connection closes after the last."""
        self._discards = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _give_up(self, error: HttpError) -> None:
        """Ends the request that is being received, with this answer if it has none. The answer never takes the place of another
        that the client waits for."""
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
        """Closes the connection for writing, and gives the client a moment to read: closed at once, a connection with unread
        bytes is reset, and its last answer lost."""
        if self.transport.is_closing():
            return
        self._discards = self._lingers = True
        self.flow.resume_reading()
        self.transport.write_eof()

    @property
    def awaits_body(self) -> bool:
        """Whether the body of a request that was passed on is not whole yet."""
        return self._part == _BODY

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self.flow.pause_reading()

    # Time limits

    def check_timeouts(self, now: float) -> bool:
        """Closes the connection if its client is too late, and returns whether it did."""
        unsent, cycle = self.transport.get_write_buffer_size(), self.cycle
        if unsent:
            unsent += _on_its_way(self.transport)
            if unsent < self._unsent:
                self._waits_for = None
            self._unsent = unsent
            late = self._too_long(_UNREAD, now, UNREAD_SECONDS)
            if late:
                self.transport.abort()
        elif self._lingers:
            late = self._too_long(_LINGERING, now, LINGER_SECONDS)
            if late:
                self.transport.abort()
        elif cycle is not None and not cycle.response_complete:
            late = cycle.more_body and self._is_slow(now)
            if late:
                self._give_up(TooSlow(f"the body came slower than {LEAST_RATE} bytes a second"))
            elif not cycle.more_body:
                self._waits_for = None  # the service is at work
        elif self._part == _HEAD:
            late = self._too_long(self.headers, now, HEAD_SECONDS)
            if late:
                self._give_up(TooSlow(f"the head of the request took longer than {HEAD_SECONDS:.0f} seconds"))
        else:
            late = self._too_long(_NEW if cycle is None else cycle.message_event, now, IDLE_SECONDS)
            if late:
                self.transport.close()
        return late

    def _too_long(self, what: object, now: float, seconds: float) -> bool:
        if self._waits_for is not what:
            self._waits_for, self._since = what, now
            return False
        return now - self._since >= seconds

    def _is_slow(self, now: float) -> bool:
        """Whether the body comes too slowly."""
        cycle = self.cycle
        to_read = cycle.message_event.is_set()
        if self._waits_for is not cycle or to_read or self.flow.read_paused or cycle.waiting_for_100_continue:
            self._waits_for, self._pace = cycle, deque()  # the service has something to read
        pace = self._pace
        pace.append((now, self._received))
        while len(pace) > 1 and pace[1][0] <= now - BODY_SECONDS:
            pace.popleft()
        began, before = pace[0]
        return now - began >= BODY_SECONDS and self._received - before < LEAST_RATE * (now - began)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._waits_for = None


def _on_its_way(transport: asyncio.Transport) -> int:
    """Bytes in the socket's send queue. The kernel takes hundreds of kilobytes from the transport at once, so that the progress
    of a slow reader shows only here."""
    sent: socket.socket = transport.get_extra_info("socket")
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(sent.fileno(), termios.TIOCOUTQ, waiting)
    except OSError:
        return 0
    return waiting[0]


class _HalfClosing:
    """The transport of a request that may be answered before its body is whole: then it must not be closed at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        """Closes the connection, for writing only while a body is being received."""
        if self._connection.awaits_body:
            self._connection.half_close()
        else:
            self._connection.transport.close()


class _Trailers(list[tuple[bytes, bytes]]):
    """Headers after a body. They are dropped: the request has started without them."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Drops it."""


_shared: WeakKeyDictionary[ServerState, tuple[Timeouts, FairStart]] = WeakKeyDictionary()


def shared_by(state: ServerState, loop: asyncio.AbstractEventLoop) -> tuple[Timeouts, FairStart]:
    """What the connections of a server share."""
    if state not in _shared:
        _shared[state] = Timeouts(loop), FairStart(loop)
    return _shared[state]
