"""HEAD wherever there is GET: the same status and headers; the server leaves the body away."""

from starlette.types import ASGIApp, Receive, Scope, Send


class AnswerHead:
    """Middleware that lets routes know GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers HEAD as GET."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self._app({**scope, "method": "GET"} if is_head else scope, receive, send)
