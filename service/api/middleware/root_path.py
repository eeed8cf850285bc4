"""The path under which a proxy shows the service, such as `/mw`."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.security_headers import POLICY


class RootPath:
    """ASGI middleware that removes the root path from the paths of requests, where the proxy has left it there, and adds it to
    the addresses in responses. Everything inside knows the service's own paths only.

    Args:
        app: answers requests by its own paths.
        root: the path, without a slash at its end.
    """

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root
        self._start = root + "/"
        self._location = root.encode()

    def inner(self, path: str) -> str:
        """The service's own path, of one that begins with the root path or does not."""
        return path[len(self._root) :] if path.startswith(self._start) else path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == self._root and scope["method"] in ("GET", "HEAD"):
            await self._add_slash(scope, receive, send)
            return
        scope["path"] = self.inner(scope["path"])

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._outer(line) for line in message.get("headers", ())]
            await send(message)

        await self._app(scope, receive, reply)

    async def _add_slash(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirects to the root path with a slash, against which a page's relative addresses resolve."""
        query = scope["query_string"]
        response = Response(None, 308, {"Location": self._start})
        if query:
            response.headers["Location"] += "?" + query.decode("latin-1")
        response.raw_headers.append(POLICY)
        await response(scope, receive, send)

    def _outer(self, line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        name, value = line
        return (name, self._location + value) if name == b"location" and value.startswith(b"/") else line
