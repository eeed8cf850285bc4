"""The dialect of each path, for predictions and for errors."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import WebSocketRequestValidationError

from service.api.dialects import open_inference, open_inference_models, sagemaker, tensorflow_serving
from service.api.dialects.open_inference import OPEN_INFERENCE
from service.api.dialects.sagemaker import INVOCATIONS, PING, SAGEMAKER
from service.api.dialects.tensorflow_serving import TENSORFLOW_SERVING
from service.api.predictions import paths
from service.api.predictions.dialect import Dialect, Target
from service.api.predictions.negotiation import NATIVE
from service.model_reference import ModelReference

ROUTERS = (open_inference_models, tensorflow_serving, sagemaker)


def target_of(path: str, default_model: ModelReference | None) -> Target | None:
    """The model and the dialect of a path of predictions; None for every other path. `default_model` is the model of a path
    without one."""
    if (model := paths.model_of(path)) is not None:
        return model, NATIVE
    if (model := paths.model_of(path, open_inference.START, open_inference.END)) is not None:
        return model, OPEN_INFERENCE
    if (model := tensorflow_serving.model_of(path)) is not None:
        return model, TENSORFLOW_SERVING
    return (default_model, SAGEMAKER) if path == INVOCATIONS and default_model is not None else None


def dialect_of(path: str) -> Dialect:
    """The dialect of any path, which determines the form of its errors."""
    if path == "/v2" or path.startswith("/v2/"):
        return OPEN_INFERENCE
    if path in (INVOCATIONS, PING):
        return SAGEMAKER
    return TENSORFLOW_SERVING if tensorflow_serving.is_its_own(path) else NATIVE


def install(app: FastAPI) -> None:
    """Converts the errors of the app to the dialect of their path."""
    for error, handler in list(app.exception_handlers.items()):
        if error is not WebSocketRequestValidationError:  # its handler returns no response
            app.add_exception_handler(error, _in_dialect(handler))


def _in_dialect(handler: Callable[..., Any]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        return dialect_of(request.scope["path"]).refuse(await handler(request, error))

    return handle
