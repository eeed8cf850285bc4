"""The audit log: who changed what."""

from typing import Annotated, cast

from fastapi import APIRouter, Query

from service.access.audit import ID
from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.errors import InvalidRequest
from service.api.pagination import Limit
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.access import AuditLine
from service.api.schemas.answer import Page, page

router = APIRouter(prefix="/v1/audit", tags=["access"], responses=PROBLEMS, route_class=PooledRoute)


After = Annotated[
    str | None,
    Query(max_length=64, description="the last id of the previous page", json_schema_extra={"pattern": f"^{ID}$"}),
]


@router.get("", summary="Show the audit log")
@needs(Scope.ADMIN)
def index(
    service: Service,
    after: After = None,
    limit: Limit = 20,
) -> Page[AuditLine]:
    """Attempts at changes, oldest first, by all processes on this home; `changes` is empty if an attempt had no effect."""
    try:
        lines, more = service.audit.read(after, limit)
    except ValueError:
        raise InvalidRequest("after must be the id of a line of this log, such as 2026-11-23:412") from None
    return page(cast(list[AuditLine], lines), more)
