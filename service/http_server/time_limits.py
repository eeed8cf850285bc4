"""Time limits of one connection. `Timeouts` checks all connections of a server together."""

from collections import deque
from typing import TYPE_CHECKING

from service.http_server.errors import TooSlow
from service.http_server.sockets import in_send_queue

if TYPE_CHECKING:
    from service.http_server.connection import Connection

# Connections are checked every half second, and a limit starts with the first check that finds the connection waiting: each
# wait may last up to a second longer, and so never more than 10 seconds.
IDLE_SECONDS = 8.5  # between two requests
HEAD_SECONDS = 8.0  # from the first byte of a request to the end of its head
BODY_SECONDS = 8.0  # over which the rate of a body is measured
LEAST_RATE = 1024  # bytes a second
UNREAD_SECONDS = 8.5  # without progress of a response that the client does not read
LINGER_SECONDS = 2.0  # between the half-close after an error response and the close

_UNREAD, _LINGERING, _NEW = object(), object(), object()


class TimeLimits:
    """The time limits of one connection."""

    __slots__ = ("_connection", "_pace", "_since", "_unsent", "_waits_for")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._waits_for: object = None  # what the last check found it waiting for: a new object for each wait
        self._since = 0.0  # when that was first seen
        self._unsent = 0  # bytes
        self._pace: deque[tuple[float, int]] | None = None  # of a body: how many bytes had come, and when

    def restart(self) -> None:
        """Restarts the limit: the client has made progress."""
        self._waits_for = None

    def check(self, now: float) -> bool:
        """Closes the connection if a limit has passed at the time `now`, in seconds of the loop, and returns whether it did."""
        connection = self._connection
        unsent, cycle = connection.transport.get_write_buffer_size(), connection.cycle
        if unsent:
            unsent += in_send_queue(connection.transport)
            if unsent < self._unsent:
                self._waits_for = None
            self._unsent = unsent
            late = self._too_long(_UNREAD, now, UNREAD_SECONDS)
            if late:
                connection.transport.abort()
        elif connection.lingers:
            late = self._too_long(_LINGERING, now, LINGER_SECONDS)
            if late:
                connection.transport.abort()
        elif cycle is not None and not cycle.response_complete:
            late = cycle.more_body and self._is_slow(now)
            if late:
                connection.fail_request(TooSlow(f"the body came slower than {LEAST_RATE} bytes a second"))
            elif not cycle.more_body:
                self._waits_for = None  # the service is working
        elif connection.receives_head:
            late = self._too_long(connection.headers, now, HEAD_SECONDS)
            if late:
                connection.fail_request(TooSlow(f"the head of the request took longer than {HEAD_SECONDS:.0f} seconds"))
        else:
            late = self._too_long(_NEW if cycle is None else cycle.message_event, now, IDLE_SECONDS)
            if late:
                connection.transport.close()
        return late

    def _too_long(self, what: object, now: float, seconds: float) -> bool:
        if self._waits_for is not what:
            self._waits_for, self._since = what, now
            return False
        return now - self._since >= seconds

    def _is_slow(self, now: float) -> bool:
        """Whether the body has come below the least rate."""
        connection = self._connection
        cycle, received = connection.cycle, connection.received
        idle = cycle.message_event.is_set() or connection.flow.read_paused or cycle.waiting_for_100_continue
        if self._waits_for is not cycle or idle or self._pace is None:  # the client is not to blame
            self._waits_for, self._pace = cycle, deque()
        pace = self._pace
        pace.append((now, received))
        while len(pace) > 1 and pace[1][0] <= now - BODY_SECONDS:
            pace.popleft()
        began, before = pace[0]
        return now - began >= BODY_SECONDS and received - before < LEAST_RATE * (now - began)
