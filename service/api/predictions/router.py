"""Finds the requests for predictions, which are answered before the framework: its middleware and router take several times as
long as a prediction."""

from functools import lru_cache

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.dialects.registry import predicted_by
from service.api.middleware.instrument import TracedPredictions
from service.api.predictions.dialect import Target
from service.api.predictions.endpoint import PredictionEndpoint
from service.api.predictions.negotiation import NATIVE
from service.api.predictions.paths import model_of
from service.serving.prediction import Reference

LONGEST = 256  # characters of paths that are remembered


class PredictionRouter:
    """Finds the target of a path. The routes in `service/api/routes/predictions.py` and of the dialects describe the same paths
    in OpenAPI.

    Args:
        default_model: the model of paths that name none.
    """

    def __init__(self, default_model: Reference | None) -> None:
        self._default_model = default_model
        self._remembered = lru_cache(4096)(self._find)

    def find(self, path: str) -> Target | None:
        """The model and the dialect in which a POST to this path asks for predictions; None for every other path."""
        return self._remembered(path) if len(path) <= LONGEST else self._find(path)

    def _find(self, path: str) -> Target | None:
        model = model_of(path)
        return (model, NATIVE) if model is not None else predicted_by(path, self._default_model)


class PredictionsFirst:
    """An ASGI application that answers predictions, and passes all other requests to another.

    Args:
        app: answers all other requests; also those for predictions by a method that is not theirs.
        router: finds the targets.
        state: has the endpoint, `predictions`, once the application has started.
    """

    def __init__(self, app: ASGIApp, router: PredictionRouter, state: State) -> None:
        self._app = app
        self._router = router
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            target = self._router.find(scope["path"])
            if target is not None and (scope["method"] == "POST" or target[1] is NATIVE):
                endpoint: PredictionEndpoint | TracedPredictions = self._state.predictions
                await endpoint(target, scope, receive, send)
                return
        await self._app(scope, receive, send)
