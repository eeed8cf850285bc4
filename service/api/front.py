"""What stands before the framework: requests for predictions are answered here, all others go on to it."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.prediction_paths import meant
from service.api.predictions import Predictions
from service.api.short_way import Exchange


class Front:
    """An ASGI application around another. The routes in `service/api/routes/predictions.py` say the same in OpenAPI."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    def short(self, exchange: Exchange) -> bool:
        """Whether a small prediction is answered the short way."""
        predictions: Predictions = self._state.predictions
        return predictions.short(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on. A method that is not for predictions is the framework's to refuse."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            key = meant(scope["path"])
            if key is not None:
                predictions: Predictions = self._state.predictions
                await predictions(key, scope, receive, send)
                return
        await self._app(scope, receive, send)
