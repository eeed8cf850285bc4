"""A response with a file that must stay on the local disk until it was sent."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send


class HeldFileResponse(FileResponse):
    """As FileResponse; `held` is closed once the file was sent, or the client has left."""

    def __init__(self, path: Path, *, held: ExitStack, **about: Any) -> None:
        super().__init__(path, **about)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file."""
        with self._held:
            await super().__call__(scope, receive, send)
