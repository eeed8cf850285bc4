"""What stands before the framework: requests for predictions are answered here, all others go on to it."""

from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.dialects.registry import asked
from service.api.middleware.instrument import WatchedPredictions
from service.api.predictions.codecs import NATIVE, Dialect
from service.api.predictions.endpoint import Predictions
from service.api.predictions.fast_path import Exchange
from service.api.predictions.paths import meant
from service.use_cases.current_versions import Key


class Front:
    """An ASGI application around another. The routes in `service/api/routes/predictions.py` say the same in OpenAPI."""

    def __init__(
        self, app: ASGIApp, default_model: Key | None, predictions: Callable[[], Predictions | WatchedPredictions]
    ) -> None:
        self._app = app
        self._default_model = default_model
        self._predictions = predictions
        self.asked_before = lru_cache(maxsize=4096)(self.asked)  # for paths that are not long

    def asked(self, path: str) -> tuple[Key, Dialect] | None:
        """Who a POST to this path asks for a prediction, and in which dialect; None for every other path."""
        key = meant(path)
        return (key, NATIVE) if key is not None else asked(path, self._default_model)

    def short(self, exchange: Exchange) -> bool:
        """Whether a prediction is answered the short way."""
        return self._predictions().short(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on. A method that is not for predictions is the framework's to refuse."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            found = self.asked(scope["path"])
            if found is not None and (scope["method"] == "POST" or found[1] is NATIVE):
                await self._predictions()(found[0], scope, receive, send, found[1])
                return
        await self._app(scope, receive, send)
