"""The HTTP server: uvicorn, and how it stops without dropping anybody.

Asked to stop, it says so first: `/readyz` is 503 and every reply is its connection's last one, while new connections are
still taken for some seconds, in which those who balance load notice. Then no new connection begins, those that have are
accepted, the listener is closed, and whoever's request has been read is answered.
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
from service.http_server.sockets import BACKLOG, address_of, take_no_more

MOST_SECONDS_TO_STOP = 20  # for the requests under way, once the listener is closed
CUT_OFF_SECONDS = 2  # seconds of them, for those to whom it is said that they are not answered
SHUTDOWN_SECONDS = (
    4  # seconds after them, in which the application ends; then the process does, whatever its threads still do
)
SWITCH_INTERVAL = 0.0002  # seconds until a thread that wants the interpreter gets it

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT; a second SIGINT waits for nobody.

    Args:
        app: what answers.
        http: makes the protocol of a connection.
        delay: seconds between the word that it stops and the end of listening.
        stopping: called as soon as it is asked to stop, once, perhaps from a signal handler.
        alone: whether no other process listens on the sockets.
        headers: of every answer.
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
    ) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            loop="uvloop",
            http=http,  # type: ignore[arg-type] # it is called, and nothing else
            proxy_headers=False,  # nothing here believes them
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
        self._stop_at: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # A stream that cannot go on is broken off on purpose, and uvicorn takes that for a mistake.
        logging.getLogger("uvicorn.error").addFilter(
            lambda said: "without completing response" not in said.getMessage()
        )

    def serve_on(self, listeners: list[socket.socket]) -> None:
        """Serves there until it is asked to stop, and closes them."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: sys.exit(0))  # before it serves and afterwards; meanwhile `handle_exit`
        # What trainings report is written down by another thread; predictions shall not wait 5 ms until it lets go.
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.run(listeners)

    def announce(self) -> None:
        """Says that it stops, and goes on serving: until it is asked to stop."""
        if not self._state.stopping:
            self._state.stopping = True
            self._stopping()
            if self._loop is not None:  # not here: a signal may come in the middle of a reply
                self._loop.call_soon_threadsafe(self._make_last)

    def _make_last(self) -> None:
        for connection in self.server_state.connections:
            if isinstance(connection, Connection):
                connection.make_last()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks it to stop. It is not raised again at the end, as uvicorn would: the exit status stays 0."""
        if self._stop_at is not None and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
        if self._stop_at is None:
            announced = self._state.stopping
            self.announce()
            self._stop_at = time.monotonic() + (0.0 if announced else self._delay)

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop listening."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Brings the application to life, begins to accept, and says where."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._alone:
            for each in sockets or []:
                log.info("running on %s (Ctrl-C stops)", address_of(each))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, and waits for the requests under way."""
        if not self.force_exit:
            if self._alone:  # else the supervisor has done it, for all
                take_no_more(sockets or [])
            await asyncio.sleep(SETTLE_SECONDS)
        _end_within(MOST_SECONDS_TO_STOP + SHUTDOWN_SECONDS)
        cutting = asyncio.get_running_loop().call_later(MOST_SECONDS_TO_STOP - CUT_OFF_SECONDS, self._cut_off)
        await super().shutdown(sockets)
        cutting.cancel()

    def _cut_off(self) -> None:
        """Who has no answer yet is told that there will be none, and streams break off."""
        log.warning("the time to stop is over; %d requests are cut off", len(self.server_state.connections))
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.cut_off()


def _end_within(seconds: float) -> None:
    """A thread in native code cannot be ended, and Python would wait for it."""

    def end() -> None:
        log.warning("a thread still works; the process ends without it")
        for each in (sys.stdout, sys.stderr):
            each.flush()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
