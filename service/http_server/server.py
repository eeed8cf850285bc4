"""The HTTP server: uvicorn with a graceful shutdown.

On SIGTERM `/readyz` becomes 503 and each response closes its connection, but connections are accepted for some seconds more, in
which load balancers notice. Then new connections are rejected, established ones are accepted, the listener is closed, and the
requests that have been read are answered.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from service.http_server.connection import SETTLE_SECONDS, Connection, State
from service.http_server.sockets import BACKLOG, address_of, any_to_accept, reject_new_connections

MOST_SECONDS_TO_ACCEPT = 2  # connections that have begun, before the listener is closed
MOST_SECONDS_TO_STOP = 20  # for the requests under way, once the listener is closed
CUT_OFF_SECONDS = 2  # of them, in which the remaining requests are answered with an error
SHUTDOWN_SECONDS = 4  # after them, for the lifespan shutdown; then the process exits, even if threads still run
SWITCH_INTERVAL = (
    0.0002  # seconds for which a thread keeps the interpreter while others wait; Python's default is 0.005
)

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT; a second SIGINT exits at once.

    Args:
        app: the ASGI application.
        http: makes the protocol of a connection.
        delay: seconds between the signal and the end of listening.
        stopping: called when the shutdown begins, possibly from a signal handler; again after a startup that it interrupts.
        alone: whether no other process listens on the sockets.
        headers: sent with every response.
        running: called with each address, once connections are accepted, if no other process listens on the sockets.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        http: Callable[..., asyncio.Protocol],
        delay: float,
        stopping: Callable[[], None],
        alone: bool,
        headers: list[tuple[str, str]],
        running: Callable[[str], object] | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            loop="uvloop",
            http=http,  # type: ignore[arg-type] # uvicorn only calls it
            proxy_headers=False,  # X-Forwarded-* headers are not trusted
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            headers=headers,
            timeout_graceful_shutdown=MOST_SECONDS_TO_STOP,
        )
        super().__init__(config)
        self.server_state = self._state = State()
        self._delay = delay
        self._stopping = stopping
        self._alone = alone
        self._running = running
        self._stop_at: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # A failed stream is left incomplete on purpose, which uvicorn logs as an error.
        logging.getLogger("uvicorn.error").addFilter(
            lambda each: "without completing response" not in each.getMessage()
        )

    def serve_on(self, listeners: list[socket.socket]) -> None:
        """Serves on these sockets until a signal, and closes them."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: sys.exit(0))  # before it serves and afterwards; meanwhile `handle_exit`
        # Another thread writes the reports of training jobs; predictions must not wait 5 ms for the interpreter.
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.run(listeners)

    def announce(self) -> None:
        """Announces the shutdown, and keeps serving until `handle_exit`."""
        if not self._state.stopping:
            self._state.stopping = True
            self._stopping()
            if self._loop is not None:  # the signal may have interrupted a response
                self._loop.call_soon_threadsafe(self._make_last)

    def _make_last(self) -> None:
        for connection in self.server_state.connections:
            if isinstance(connection, Connection):
                connection.make_last()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handles a signal. Unlike uvicorn's, it does not raise the signal again at the end: the exit status is 0."""
        if self._stop_at is not None and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
        if self._stop_at is None:
            announced = self._state.stopping
            self.announce()
            self._stop_at = time.monotonic() + (0.0 if announced else self._delay)

    async def on_tick(self, counter: int) -> bool:
        """Returns whether to stop listening."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application, begins to accept connections, and logs the addresses."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._state.stopping:  # the application was not open yet
            self._stopping()
        if self._alone:
            for each in sockets or []:
                log.info("running on %s (Ctrl-C stops)", address_of(each))
                if self._running is not None:
                    self._running(address_of(each))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, and waits for the requests under way."""
        if not self.force_exit:
            if self._alone:  # otherwise the supervisor has done it for all processes
                reject_new_connections(sockets or [])
            until = time.monotonic() + MOST_SECONDS_TO_ACCEPT
            await asyncio.sleep(SETTLE_SECONDS)
            while any_to_accept(sockets or []) and time.monotonic() < until:
                await asyncio.sleep(SETTLE_SECONDS)  # their requests arrive meanwhile
        _end_within(MOST_SECONDS_TO_STOP + SHUTDOWN_SECONDS)
        cutting = asyncio.get_running_loop().call_later(MOST_SECONDS_TO_STOP - CUT_OFF_SECONDS, self._cut_off)
        await super().shutdown(sockets)
        cutting.cancel()

    def _cut_off(self) -> None:
        """Answers the remaining requests with `CutOff`, and closes streams."""
        log.warning("the time to stop is over; %d requests are cut off", len(self.server_state.connections))
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.cut_off()


def _end_within(seconds: float) -> None:
    """Exits the process after so many seconds: Python would wait for threads, and one in native code cannot be ended."""

    def end() -> None:
        log.warning("a thread still works; the process ends without it")
        for each in (sys.stdout, sys.stderr):
            each.flush()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
