"""What stands before the framework: requests for predictions are answered here, all others go on to it."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.dialects.spoken import asked
from service.api.prediction_paths import meant
from service.api.predictions import Predictions
from service.api.short_way import Exchange
from service.api.watched import WatchedPredictions


class Front:
    """An ASGI application around another. The routes in `service/api/routes/predictions.py` say the same in OpenAPI."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    def short(self, exchange: Exchange) -> bool:
        """Whether a small prediction is answered the short way."""
        predictions: Predictions | WatchedPredictions = self._state.predictions
        return predictions.short(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on. A method that is not for predictions is the framework's to refuse."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            path = scope["path"]
            key = meant(path)
            if key is not None:
                predictions: Predictions | WatchedPredictions = self._state.predictions
                await predictions(key, scope, receive, send)
                return
            if scope["method"] == "POST" and (found := asked(path, self._state.default_model)) is not None:
                predictions = self._state.predictions
                key, dialect = found
                await predictions(key, scope, receive, send, dialect)
                return
        await self._app(scope, receive, send)
