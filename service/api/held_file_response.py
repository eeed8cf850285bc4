"""A response with a file that is kept until it was sent: a temporary file, or a copy in a cache."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
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
