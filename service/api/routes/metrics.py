"""Metrics for Prometheus."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.routing import needs

router = APIRouter(tags=["service"])


@router.get("/metrics", include_in_schema=False)
@needs(Scope.PREDICT)
async def metrics(service: Service) -> Response:
    """All metrics in docs/operations.md, of all processes."""
    try:
        return Response(await service.exposition(), media_type=CONTENT_TYPE_LATEST)
    except TimeoutError:
        return PlainTextResponse("the other processes do not answer\n", 503, {"Retry-After": "1"})
