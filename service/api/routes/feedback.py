"""Feedback on logged predictions, and the metrics that are made from it."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query

from service.api.bodies import read_json
from service.api.dependencies import Service
from service.api.problems import PROBLEMS
from service.api.routing import PredictRoute, pool
from service.api.schemas.bodies import json_body
from service.api.schemas.feedback import FEEDBACK_EXAMPLE, FEEDBACK_SCHEMA, FeedbackTaken, LiveMetrics
from service.use_cases.feedback import give, parse
from service.use_cases.feedback_file import KEPT_DAYS
from service.use_cases.live_metrics import live_metrics
from service.use_cases.predict import choose

router = APIRouter(prefix="/v1/models/{name}", tags=["predictions"], responses=PROBLEMS, route_class=PredictRoute)

Hours = Annotated[float, Query(gt=0, le=KEPT_DAYS * 24, description="predictions of so many hours before now")]
Reference = Annotated[str | None, Query(description="a number, an alias or `latest`; that in use if left out")]


@router.post("/feedback", summary="Say what was true", openapi_extra=json_body(FEEDBACK_SCHEMA, FEEDBACK_EXAMPLE))
@pool("files")
def take(service: Service, name: str, body: Annotated[Any, Depends(read_json)]) -> FeedbackTaken:
    """The truth of rows of logged predictions: a number or a list of numbers, a class, or the list of the labels that are true;
    up to 1000 as `{"feedback": […]}`, all or none of which are kept. A later truth of the same row replaces the earlier one. 409
    `prediction_log_off` without the log, 404 `prediction_not_found` for what it does not have."""
    kept = give(service.store, service.prediction_log, name, parse(body))
    return {"kept": sum(kept.values()), "versions": {str(number): count for number, count in kept.items()}}


@router.get("/live-metrics", summary="Compare with what was true")
@pool("files")
def show(service: Service, name: str, hours: Hours = 24.0, version: Reference = None) -> LiveMetrics:
    """The metrics of a version on the predictions whose truth is known by feedback, beside those of its test part. No figures
    for fewer than 20 rows."""
    found = choose(service.store, name, version)
    return cast(LiveMetrics, live_metrics(service.prediction_log, found, hours))
