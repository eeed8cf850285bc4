"""Drift of what a model predicts."""

from typing import Annotated, cast

from fastapi import APIRouter, Query

from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.drift import Drift
from service.jobs.drift_counts import KEPT_HOURS
from service.use_cases.drift import drift_of
from service.use_cases.predict import choose

router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEMS, route_class=PooledRoute)

Hours = Annotated[int, Query(ge=1, le=KEPT_HOURS, description="the window: the rows of so many hours, and of this one")]
Reference = Annotated[
    str | None, Query(description="a version: a number, an alias or `latest`; without it, the one that predicts")
]


@router.get("/{name}/drift", summary="Compare what a model predicts with what it was trained on")
@needs(Scope.PREDICT)
def drift(service: Service, name: str, hours: Hours = 24, version: Reference = None) -> Drift:
    """Counts of all workers, at most a minute old. 404 `not_available` if the version has no reference."""
    found = choose(service.store, name, version)
    service.row_counter.flush()
    return cast(Drift, drift_of(service.drift_counts, found, hours))
