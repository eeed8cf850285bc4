"""What the service measures, for Prometheus."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.api.dependencies import Service

router = APIRouter(tags=["service"])


@router.get("/metrics", include_in_schema=False)
async def metrics(service: Service) -> Response:
    """Everything that docs/operations.md lists: of all processes together."""
    try:
        return Response(await service.exposition(), media_type=CONTENT_TYPE_LATEST)
    except TimeoutError:
        return PlainTextResponse("the other processes do not answer\n", 503, {"Retry-After": "1"})
