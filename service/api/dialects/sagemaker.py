"""SageMaker's container contract, `/ping` and `/invocations`, for the model that the settings name. `/invocations` is also that
of MLflow's scoring server, whose form errors have; SageMaker only uses the status."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.dialects.refusals import described, with_error_code
from service.api.errors import UnsupportedMediaType
from service.api.predictions.dialect import Dialect, Headers
from service.api.predictions.negotiation import accepted, decoder_of_values
from service.api.routing import PooledRoute, needs
from service.api.schemas.bodies import exactly_one, json_body, plain_refusal
from service.serving.codecs import DECODERS, JSON, JSON_LINES, dataframe
from service.serving.codecs.codec import Decoder, Encoder
from service.serving.codecs.dataframe import CSV, KEYS
from service.serving.codecs.tensorflow_serving import ROWS
from service.workflow.errors import NotAvailable

INVOCATIONS, PING = "/invocations", "/ping"
OTHER_NAMES = {"application/csv": CSV, "application/jsonlines": JSON_LINES}
ROWS_SCHEMA = {"type": "array", "minItems": 1}
SCHEMA = {
    "type": "object",
    "properties": {
        "dataframe_split": {
            "type": "object",
            "properties": {"columns": {"type": ["array", "null"]}, "index": {}, "data": ROWS_SCHEMA},
            "required": ["data"],
            "additionalProperties": False,
        },
        "dataframe_records": ROWS_SCHEMA,
        "instances": ROWS_SCHEMA,
        "inputs": {"type": ["object", "array"]},
        "params": {"type": ["object", "null"], "maxProperties": 0},
    },
    "oneOf": exactly_one(*KEYS),
    "additionalProperties": False,
}
EXAMPLE = {"dataframe_split": {"columns": ["x"], "data": [[0.5], [0.9]]}}
router = APIRouter(tags=["dialects"], responses=described("error_code", "message"), route_class=PooledRoute)


def _decoder(headers: Headers) -> Decoder:
    kind, *parameters = (
        each.strip().lower() for each in headers.get(b"content-type", b"").decode("latin-1").split(";")
    )
    if any(each.startswith("charset=") and each.strip('charset="') not in ("utf-8", "utf8") for each in parameters):
        raise UnsupportedMediaType("the one charset that is taken is utf-8")
    kind = OTHER_NAMES.get(kind, kind)
    if kind == CSV:
        return dataframe.CSV_DECODER
    if kind in ("", JSON) or kind.endswith("+json"):
        return dataframe.JSON_DECODER
    return DECODERS.get(kind) or decoder_of_values(headers, kind)


def _encoder(headers: Headers, _: Any) -> Encoder:
    encoder = accepted(headers)
    return ROWS if encoder.media_type == JSON else encoder


SAGEMAKER = Dialect(_decoder, _encoder, with_error_code)


@router.get(
    PING,
    summary="Check whether the service is ready, for SageMaker",
    response_class=PlainTextResponse,
    responses=plain_refusal("The model is not in memory yet, or the service is about to stop."),
)
@needs(None)
async def ping(service: Service) -> Response:
    """200 once the default model, if the settings name one, is in memory."""
    key = service.default_model
    ready = not service.feed.closed and (key is None or service.current.last_known(key) is not None)
    return PlainTextResponse("\n", 200 if ready else 503)


@router.post(
    INVOCATIONS,
    summary="Predict, for clients of SageMaker and MLflow",
    response_model=dict[str, Any],
    openapi_extra=json_body(SCHEMA, EXAMPLE),
)
@needs(Scope.PREDICT)
def invocations() -> Response:
    """Predicts with the model of `MODELWRIGHT_DEFAULT_MODEL`; also from `text/csv`, with or without a header."""
    raise NotAvailable("there is no default model for this path; MODELWRIGHT_DEFAULT_MODEL sets it")
