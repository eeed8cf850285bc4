"""Requests that may change something, each with its line in the audit log."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit import Audit, collect_changes
from service.access.keys import ApiKey

LONGEST_PATH = 512


class AuditedRequest:
    """A request that may change something.

    Args:
        audit: the audit log.
        scope: the ASGI scope of the request.
        who: its key; a name where no key is needed; None if a key was needed and none was sent.
        request_id: its id.
    """

    def __init__(self, audit: Audit, scope: Scope, who: ApiKey | str | None, request_id: str) -> None:
        self._audit = audit
        self._who = who
        # Without query and body: they may contain secrets.
        self._about: dict[str, Any] = {
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"][:LONGEST_PATH],
            "client": scope["client"][0] if scope.get("client") else None,
        }

    async def answered_by(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the app, and writes the line before the response is sent."""
        changes = collect_changes()
        written = False

        async def write(status: int | None) -> None:
            nonlocal written
            written = True
            append = self._audit.append
            await asyncio.to_thread(append, self._who, changes, status=status, **self._about)

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                await write(message["status"])
            await send(message)

        try:
            await app(scope, receive, reply)
        finally:
            if not written:  # no response was sent, but the change may have been made
                await write(None)

    def refused(self, status: int) -> None:
        """Writes the line of a request that was refused, without waiting for the disk."""
        self._audit.append_later(self._who, status=status, **self._about)
