"""Messages between the processes of one service: lines of JSON, through the supervisor that has started them.

| message | from | to | meaning |
|---|---|---|---|
| `["secrets", {…}]` | supervisor | all | the secrets of its environment; the first message |
| `["ready", null]` | all | supervisor | it has started |
| `["wake", null]` | a worker that answers | the one that trains | check for jobs to start |
| `["job", id]` | all | all others | that job has changed |
| `["stop", null]` | supervisor | all | the service is about to stop |
| `["get_total", number]` | a worker that answers | supervisor | a request for the metrics of all processes |
| `["get_metrics", null]` | supervisor | all | a request for its metrics; also every 3 s: a process that does not respond hangs |
| `["metrics", metrics]` | all | supervisor | the response |
| `["total", [number, metrics]]` | supervisor | the same worker | the sum of all |

`job` and `wake` are hints: a process that misses one polls half a second later.
"""

import asyncio
import itertools
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LONGEST_LINE = 1 << 28  # bytes of metrics
log = logging.getLogger(__name__)


class Channel:
    """A process's connection to the supervisor. When that has ended, this process ends.

    Attributes:
        handlers: for each kind of message, what is called with its value, in the event loop.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers = itertools.count(1)
        self._sums: dict[int, asyncio.Future[Any]] = {}
        self.handlers: dict[str, Callable[[Any], object]] = {"total": self._handle_sum}

    async def open(self) -> None:
        """Reports that this process has started, and begins to receive."""
        reader, self._writer = await asyncio.open_connection(sock=self._stream, limit=LONGEST_LINE)
        self._loop = asyncio.get_running_loop()
        self._receiving = asyncio.create_task(self._receive(reader))
        self.send("ready")

    def send(self, kind: str, value: Any = None) -> None:
        """Sends a message. From any thread; does not wait."""
        if self._loop is not None:  # else it is not open yet, and the message is a hint
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._writer.write, line_of(kind, value))

    async def figures(self, seconds: float) -> Any:
        """The metrics of all processes.

        Raises:
            TimeoutError: the supervisor does not answer in time.
        """
        number = next(self._numbers)
        self._sums[number] = asyncio.get_running_loop().create_future()
        self.send("get_total", number)
        try:
            return await asyncio.wait_for(self._sums[number], seconds)
        finally:
            del self._sums[number]

    def close(self) -> None:
        """Closes the connection, if it was opened."""
        if self._loop is not None:
            self._receiving.cancel()
            self._writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                kind, value = json.loads(line)
                try:
                    self.handlers.get(kind, lambda _: None)(value)
                except Exception:
                    log.exception("an error in the handler of a message of another process: %s", kind)
        os.kill(os.getpid(), signal.SIGTERM)  # elsewhere than on Linux, where the kernel has killed it already

    def _handle_sum(self, value: tuple[int, Any]) -> None:
        number, figures = value
        waiting = self._sums.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(figures)


def line_of(kind: str, value: Any = None) -> bytes:
    """A message as it is sent. In Python's own JSON: a metric may be infinite."""
    return json.dumps([kind, value]).encode() + b"\n"
