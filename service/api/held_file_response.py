"""Responses with files that are kept until they were sent: temporary files, or copies in a cache."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, StreamingResponse
from starlette.types import Receive, Scope, Send


class HeldFileResponse(FileResponse):
    """A FileResponse that closes `held` at its end, also if the client has disconnected or the request was cancelled."""

    def __init__(self, path: Path, *, held: ExitStack, **about: Any) -> None:
        super().__init__(path, **about)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file."""
        with self._held:
            await super().__call__(scope, receive, send)


class HeldStreamResponse(StreamingResponse):
    """The same for what is read piece by piece, in threads, from files that `held` closes."""

    def __init__(self, pieces: Iterator[bytes], *, held: ExitStack, **about: Any) -> None:
        super().__init__(pieces, **about)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces."""
        with self._held:
            await super().__call__(scope, receive, send)
