"""What the processes of one service say to each other: lines of JSON, through the supervisor that has started them.

| message | from | to | meaning |
|---|---|---|---|
| `["secrets", {…}]` | supervisor | all | the secrets of its environment; the first message, before all else |
| `["ready", null]` | all | supervisor | it works now |
| `["wake", null]` | an answering process | the one that trains | there may be something to do |
| `["job", id]` | all | all others | that job has changed |
| `["stop", null]` | supervisor | all | the service is about to stop |
| `["ask", number]` | an answering process | supervisor | what has been counted? |
| `["tell", null]` | supervisor | all | what have you counted? Asked every 3 s, too: who never answers hangs |
| `["told", figures]` | all | supervisor | this |
| `["sum", [number, figures]]` | supervisor | who has asked | all together |

They are hints: whoever misses one looks again by himself, half a second later.
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

LONGEST_LINE = 1 << 28  # bytes: figures may be many
log = logging.getLogger(__name__)


class Wire:
    """A process's connection to the supervisor. When that is gone, this process ends.

    `heed` has, for each kind of message, what is called with its value, in the event loop.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers = itertools.count(1)
        self._sums: dict[int, asyncio.Future[Any]] = {}
        self.heed: dict[str, Callable[[Any], object]] = {"sum": self._heed_sum}

    async def open(self) -> None:
        """Says that this process works now, and begins to listen."""
        reader, self._writer = await asyncio.open_connection(sock=self._stream, limit=LONGEST_LINE)
        self._loop = asyncio.get_running_loop()
        self._listening = asyncio.create_task(self._listen(reader))
        self.say("ready")

    def say(self, kind: str, value: Any = None) -> None:
        """Sends a message. From any thread, and never waits."""
        if self._loop is not None:  # else nobody has opened it yet, and it was only a hint
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._writer.write, line_of(kind, value))

    async def figures(self, seconds: float) -> Any:
        """What all processes have counted.

        Raises:
            TimeoutError: the supervisor does not say so in time.
        """
        number = next(self._numbers)
        self._sums[number] = asyncio.get_running_loop().create_future()
        self.say("ask", number)
        try:
            return await asyncio.wait_for(self._sums[number], seconds)
        finally:
            del self._sums[number]

    def close(self) -> None:
        """Closes the connection, if it was opened."""
        if self._loop is not None:
            self._listening.cancel()
            self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                kind, value = json.loads(line)
                try:
                    self.heed.get(kind, _ignore)(value)
                except Exception:
                    log.exception("what another process has said led to an error: %s", kind)
        os.kill(os.getpid(), signal.SIGTERM)  # on Linux the system has killed it already

    def _heed_sum(self, value: tuple[int, Any]) -> None:
        number, figures = value
        asked = self._sums.get(number)
        if asked is not None and not asked.done():
            asked.set_result(figures)


def line_of(kind: str, value: Any = None) -> bytes:
    """A message as it is sent. JSON of Python's own kind: a figure may be infinite."""
    return json.dumps([kind, value]).encode() + b"\n"


def _ignore(value: Any) -> None:
    """It is not for this process."""
