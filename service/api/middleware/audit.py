"""Requests that may change something, and the line in the audit log that each of them leaves."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit import Audit, collect_changes
from service.access.keys import ApiKey

LONGEST_PATH = 512


class AuditedRequest:
    """One such request.

    Args:
        audit: the log.
        scope: of the request.
        who: its key; words for who needs none; None for who has none.
        request_id: of the request.
    """

    def __init__(self, audit: Audit, scope: Scope, who: ApiKey | str | None, request_id: str) -> None:
        self._audit = audit
        self._who = who
        # Without the query, and not the body: neither is known to be without secrets.
        self._about: dict[str, Any] = {
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"][:LONGEST_PATH],
        }

    async def answered_by(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the app answer; the line is written before the answer goes out."""
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
            if not written:  # whatever became of the answer, the change was made
                await write(None)

    def refused(self, status: int) -> None:
        """It was not let in. Nobody waits for the disk to be told so."""
        self._audit.append_later(self._who, status=status, **self._about)
