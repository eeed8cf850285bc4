"""HEAD for every GET route: same status and headers; the server omits the body."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.dependencies import IS_HEAD

OF_GET_ALONE = (b"range", b"if-range")  # RFC 9110, section 14.2


class AnswerHead:
    """Middleware by which routes need to handle GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers HEAD as GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        headers = [line for line in scope["headers"] if line[0] not in OF_GET_ALONE]
        get = {**scope, "method": "GET", "headers": headers, IS_HEAD: True}
        await self._app(get, receive, send)
        # Middleware around this one uses the matched route.
        scope.update({name: get[name] for name in ("route", "path_params") if name in get})
