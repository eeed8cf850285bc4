"""Predictions as OpenAPI describes them, and the framework's answers to other methods. `service/api/predictions/router.py`
takes these requests before they come here, and `service/api/predictions/endpoint.py` answers them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query

from service.api.problems import PROBLEMS
from service.api.routing import PredictRoute
from service.api.schemas.prediction import Predictions, rows_body

router = APIRouter(prefix="/v1/models/{name}", tags=["predictions"], responses=PROBLEMS, route_class=PredictRoute)

BODY = rows_body()
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The ETag is that of `If-None-Match`."}}
Accept = Annotated[str, Header(description="`application/json`")]
IfNoneMatch = Annotated[str | None, Header(description="the ETag of a cached response")]
RequestTimeout = Annotated[
    float | None, Header(ge=0, description="the timeout in seconds, after which the response is 504")
]
Interval = Annotated[
    float | None,
    Query(gt=0.5, lt=1, description="as in a body of JSON; the name of an input, where a model has one called so"),
]


@router.post("/predictions", summary="Predict", response_model=Predictions, openapi_extra=BODY)
def predict(
    name: str, interval: Interval = None, accept: Accept = "*/*", request_timeout: RequestTimeout = None
) -> None:
    """Predicts with the version that the alias `production` points at, or with the latest if there is no such alias."""


@router.post(
    "/versions/{version}/predictions",
    summary="Predict with one version",
    response_model=Predictions,
    openapi_extra=BODY,
)
def predict_with(
    name: str,
    version: str,
    interval: Interval = None,
    accept: Accept = "*/*",
    request_timeout: RequestTimeout = None,
) -> None:
    """Predicts with a version: a number, an alias, or `latest`."""


@router.get(
    "/predictions",
    summary="Predict from query parameters",
    response_model=Predictions,
    responses=UNCHANGED,
)
def look_up(
    name: str,
    interval: Interval = None,
    accept: Accept = "*/*",
    if_none_match: IfNoneMatch = None,
    request_timeout: RequestTimeout = None,
) -> None:
    """`?x=0.5`; for several rows repeat each name."""


@router.get(
    "/versions/{version}/predictions",
    summary="Predict with one version from query parameters",
    response_model=Predictions,
    responses=UNCHANGED,
)
def look_up_with(
    name: str,
    version: str,
    interval: Interval = None,
    accept: Accept = "*/*",
    if_none_match: IfNoneMatch = None,
    request_timeout: RequestTimeout = None,
) -> None:
    """As without a version; the response of a numbered version may be cached forever."""
