"""Finds requests for predictions before the framework, whose middleware and router take several times as long as a prediction."""

from collections.abc import Awaitable, Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.predictions.dialect import Target
from service.api.predictions.negotiation import NATIVE

LONGEST = 256  # characters of paths that are remembered

Endpoint = Callable[[Target, Scope, Receive, Send], Awaitable[None]]


class PredictionRouter:
    """An ASGI application that passes requests for predictions to their endpoint, and all others to another application. The
    routes in `service/api/routes/predictions.py` and in the dialects describe the same paths in OpenAPI.

    Args:
        app: answers all other requests, also those to the same paths by a method that is not theirs.
        target_of: the model and the dialect of a path.
        endpoint: gives what answers predictions.
    """

    def __init__(
        self, app: ASGIApp, target_of: Callable[[str], Target | None], endpoint: Callable[[], Endpoint]
    ) -> None:
        self._app = app
        self._target_of = target_of
        self._remembered = lru_cache(4096)(target_of)
        self._endpoint = endpoint

    def find(self, path: str) -> Target | None:
        """What a POST to this path asks for; None if not for predictions."""
        return self._remembered(path) if len(path) <= LONGEST else self._target_of(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            target = self.find(scope["path"])
            if target is not None and (scope["method"] == "POST" or target[1] is NATIVE):
                await self._endpoint()(target, scope, receive, send)
                return
        await self._app(scope, receive, send)
