"""What stands before the framework: requests for predictions are answered here, all others go on to it."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.dialects.spoken import asked
from service.api.predictions import Predictions
from service.use_cases.current_versions import Key

START, END = "/v1/models/", "/predictions"


class Front:
    """An ASGI application around another. The routes in `service/api/routes/predictions.py` say the same in OpenAPI."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on. A method that is not for predictions is the framework's to refuse."""
        if scope["type"] == "http" and scope["method"] in ("POST", "GET", "HEAD"):
            path = scope["path"]
            key = meant(path)
            if key is not None:
                predictions: Predictions = self._state.predictions
                await predictions(key, scope, receive, send)
                return
            if scope["method"] == "POST" and (found := asked(path, self._state.default_model)) is not None:
                predictions = self._state.predictions
                key, dialect = found
                await predictions(key, scope, receive, send, dialect)
                return
        await self._app(scope, receive, send)


def meant(path: str) -> Key | None:
    """The model and the reference that a path asks for predictions of; None for every other path."""
    if not (path.endswith(END) and path.startswith(START)):
        return None
    name, *rest = path[len(START) : -len(END)].split("/")
    if not rest:
        return (name, None) if name else None
    if len(rest) == 2 and rest[0] == "versions" and name and rest[1]:
        return name, rest[1]
    return None
