"""The protocol of each path: for predictions, which `service/api/predictions/router.py` takes, and for the errors of all
others."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import WebSocketRequestValidationError

from service.api.dialects import open_inference, open_inference_models, sagemaker, tensorflow_serving
from service.api.dialects.open_inference import OPEN_INFERENCE
from service.api.dialects.sagemaker import INVOCATIONS, PING, SAGEMAKER
from service.api.dialects.tensorflow_serving import TENSORFLOW_SERVING
from service.api.predictions.codecs import NATIVE, Dialect
from service.use_cases.version_resolver import Key

ROUTERS = (open_inference_models, tensorflow_serving, sagemaker)


def asked(path: str, default: Key | None) -> tuple[Key, Dialect] | None:
    """Who is asked for a prediction by a POST to this path, and in which dialect; `default` is the model without a name."""
    if (key := open_inference.asked(path)) is not None:
        return key, OPEN_INFERENCE
    if (key := tensorflow_serving.asked(path)) is not None:
        return key, TENSORFLOW_SERVING
    return (default, SAGEMAKER) if path == INVOCATIONS and default is not None else None


def spoken_at(path: str) -> Dialect:
    """The dialect of whoever asks for this path."""
    if path == "/v2" or path.startswith("/v2/"):
        return OPEN_INFERENCE
    if path in (INVOCATIONS, PING):
        return SAGEMAKER
    return TENSORFLOW_SERVING if tensorflow_serving.is_its_own(path) else NATIVE


def install(app: FastAPI) -> None:
    """Lets the app's refusals be told in the dialect of their path."""
    for error, handler in list(app.exception_handlers.items()):
        if error is not WebSocketRequestValidationError:  # FastAPI's own, which answers nothing
            app.add_exception_handler(error, _in_dialect(handler))


def _in_dialect(handler: Callable[..., Any]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        return spoken_at(request.scope["path"]).refuse(await handler(request, error))

    return handle
