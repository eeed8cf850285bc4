"""A parser of server-sent events."""

from collections.abc import Iterator
from typing import Any

from modelwright.answers import parse


class EventParser:
    """Parses server-sent events from chunks of bytes, by the rules of the HTML standard."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry = 0.25
        self.restart()

    def restart(self) -> None:
        """Forgets an event that was cut off: the next connection repeats it."""
        self._line, self._data, self._id, self._after_return = b"", list[str](), self.last_event_id, False

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """The events that this chunk completes."""
        # A line may end in CR LF, cut in between.
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r")
        # The mark separates the last line from the complete ones, even when it is empty.
        *lines, unfinished = (self._line + chunk + b"|").splitlines()
        self._line = unfinished[:-1]
        for line in lines:
            if line:
                self._take(line.decode("utf-8", "replace"))
                continue
            self.last_event_id = self._id
            data, self._data = self._data, []
            if data:
                yield parse("\n".join(data))

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
