"""What the service measures, for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.telemetry.predictions import PredictionFigures

router = APIRouter(tags=["service"])


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Latencies by model, version and stage, batch sizes, warm models, answers by status. In a thread: the text of many
    versions takes a tenth of a second to write."""
    figures: PredictionFigures = request.app.state.figures
    return Response(figures.text(), media_type=CONTENT_TYPE_LATEST)
