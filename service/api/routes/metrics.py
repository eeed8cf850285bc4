"""What the service measures, for Prometheus."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

router = APIRouter(tags=["service"])


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Latencies by model, version and stage, batch sizes, warm models, answers by status: of all processes together."""
    try:
        return Response(await request.app.state.metrics(), media_type=CONTENT_TYPE_LATEST)
    except TimeoutError:
        return PlainTextResponse("the other processes do not answer\n", 503, {"Retry-After": "1"})
