"""HEAD wherever there is GET: the same status and headers; the server leaves the body away."""

from starlette.types import ASGIApp, Receive, Scope, Send


class AnswerHead:
    """Middleware that lets routes know GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers HEAD as GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        await self._app(asked, receive, send)
        # Who stands around the framework may want to know which route it was.
        scope.update({name: asked[name] for name in ("route", "path_params") if name in asked})
