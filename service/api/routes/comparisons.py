"""Two versions of a model side by side."""

from typing import Annotated, cast

from fastapi import APIRouter, Query

from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs, pool
from service.api.schemas.comparison import Comparison
from service.use_cases.compare_versions import compare as compare_versions

router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEMS, route_class=PooledRoute)

Reference = Annotated[str, Query(description="a version: a number, an alias or `latest`")]


@router.get("/{name}/compare", summary="Compare two versions")
@needs(Scope.TRAIN)
@pool("files")
def compare(service: Service, name: str, a: Reference, b: Reference) -> Comparison:
    """The differences of specs, signatures and data, the metrics side by side, and the distance of each tensor."""
    return cast(Comparison, compare_versions(service.store, name, a, b))
