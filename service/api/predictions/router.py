"""Routes predictions before the framework, whose middleware and router take several times as long as a prediction."""

from collections.abc import Awaitable, Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.predictions.dialect import Target
from service.api.predictions.negotiation import NATIVE

LONGEST = 256  # characters of paths that are cached

Endpoint = Callable[[Target, Scope, Receive, Send], Awaitable[None]]


class PredictionRouter:
    """ASGI middleware that passes predictions to their endpoint. The routes in `service/api/routes/predictions.py` and in the
    dialects describe the same paths in OpenAPI.

    Args:
        app: answers all other requests, including those to the same paths by other methods.
        target_of: gives the model and the dialect of a path.
        endpoint: gives the endpoint.
    """

    def __init__(
        self, app: ASGIApp, target_of: Callable[[str], Target | None], endpoint: Callable[[], Endpoint]
    ) -> None:
        self._app = app
        self._target_of = target_of
        self._cached_target_of = lru_cache(4096)(target_of)
        self._endpoint = endpoint

    def find(self, path: str) -> Target | None:
        """The target of a POST to this path; None if that is no prediction."""
        return self._cached_target_of(path) if len(path) <= LONGEST else self._target_of(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the endpoint or the application."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            target = self.find(scope["path"])
            if target is not None and (scope["method"] == "POST" or target[1] is NATIVE):
                await self._endpoint()(target, scope, receive, send)
                return
        await self._app(scope, receive, send)
