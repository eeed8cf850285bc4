"""Liveness and readiness of the service."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from service.api.dependencies import Service
from service.api.routing import needs
from service.api.schemas.bodies import plain_refusal

router = APIRouter(tags=["service"])


@router.get("/livez", summary="Check whether the service runs", response_class=PlainTextResponse)
@needs(None)
async def livez() -> Response:
    """200 while the service runs."""
    return PlainTextResponse("ok\n")


@router.get(
    "/readyz",
    summary="Check whether predictions can be answered",
    response_class=PlainTextResponse,
    responses=plain_refusal("It is about to stop."),
)
@needs(None)
async def readyz(service: Service) -> Response:
    """200 once predictions can be answered, even if trainings cannot start yet. 503 as soon as a stop is requested."""
    if service.feed.closed:
        return PlainTextResponse("stopping\n", 503, {"Retry-After": "5"})
    return PlainTextResponse("ok\n")


@router.get("/", include_in_schema=False)
@needs(None)
async def root() -> Response:
    """The documentation, until there is a dashboard."""
    return RedirectResponse("/docs")
