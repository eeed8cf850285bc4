"""The audit log: who changed what."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.access.audit import ID
from service.api.dependencies import Service
from service.api.errors import InvalidRequest
from service.api.pagination import Limit, page_response
from service.api.routing import PooledRoute
from service.api.schemas import documents
from service.api.schemas.documents import PROBLEMS

router = APIRouter(prefix="/v1/audit", tags=["access"], responses=PROBLEMS, route_class=PooledRoute)


After = Annotated[
    str | None,
    Query(max_length=64, description="the last line's id of the page before", json_schema_extra={"pattern": f"^{ID}$"}),
]


@router.get("", summary="Who changed what", response_model=documents.Page[documents.AuditLine])
def index(
    service: Service,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Attempts at changes, rising, by all processes on this home; `changes` is empty where nothing came of one."""
    try:
        lines, more = service.audit.read(after, limit)
    except ValueError:
        raise InvalidRequest("after must be the id of a line of this log, such as 2026-11-23:412") from None
    return page_response(lines, more)
