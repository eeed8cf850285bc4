"""Retention: which versions of a model are kept, and which the housekeeping deletes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from model_store.clock import rfc3339, utc_now
from model_store.errors import NotFound, StoreError
from model_store.retention import Rule
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.bodies import read_json
from service.api.dependencies import Service, Services
from service.api.errors import InvalidRequest
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.bodies import MOST_DAYS, MOST_VERSIONS, RETENTION_EXAMPLE, RETENTION_SCHEMA, json_body
from service.api.schemas.model import Retention
from service.use_cases.retain_versions import expired

router = APIRouter(
    prefix="/v1/models/{name}/retention", tags=["retention"], responses=PROBLEMS, route_class=PooledRoute
)


@router.get("", summary="Show a model's retention rule")
@needs(Scope.PREDICT)
def show(service: Service, name: str) -> Retention:
    """The rule, and the versions that the housekeeping will delete next."""
    service.store.models.latest_number(name)
    return _document(service, name, service.store.retention.get(name))


@router.put(
    "",
    summary="Set a model's retention rule",
    openapi_extra=json_body(RETENTION_SCHEMA, RETENTION_EXAMPLE),
)
@needs(Scope.ADMIN)
def put(
    service: Service,
    name: str,
    body: Annotated[Any, Depends(read_json)],
    dry_run: Annotated[bool, Query(description="only show what the rule would delete")] = False,
) -> Retention:
    """Keeps the `last` versions and those of the last `days`; the housekeeping deletes the others."""
    last, days = _parsed(body)
    if dry_run:
        return _document(service, name, Rule(last, days, rfc3339(utc_now())))
    answer, before = _document(service, name, Rule(last, days)), _shown(service, name)
    rule = service.store.retention.put(name, last, days)
    record_change("retention.set", name, before, {"last": last, "days": days})
    return {**answer, "created_at": rule.created_at}


@router.delete("", status_code=204, summary="Delete a model's retention rule")
@needs(Scope.ADMIN)
def remove(service: Service, name: str) -> None:
    """Keeps all versions from now on."""
    service.store.models.latest_number(name)
    rule = service.store.retention.delete(name)
    record_change("retention.deleted", name, {"last": rule.last, "days": rule.days})


def _parsed(body: Any) -> tuple[int | None, int | None]:
    """Raises InvalidRequest."""
    expected = (
        f'expected {{"last": 20, "days": 30}} or one of the two: whole numbers, `last` from 1 to {MOST_VERSIONS}, '
        f"`days` from 1 to {MOST_DAYS}"
    )
    if not isinstance(body, dict) or not body or not body.keys() <= {"last", "days"}:
        raise InvalidRequest(expected)
    for name, most in (("last", MOST_VERSIONS), ("days", MOST_DAYS)):
        if name in body and (type(body[name]) is not int or not 1 <= body[name] <= most):
            raise InvalidRequest(expected)
    return body.get("last"), body.get("days")


def _shown(service: Services, name: str) -> dict[str, int | None] | None:
    """The rule in force, for the audit log; None if there is none, or it cannot be read."""
    try:
        rule = service.store.retention.get(name)
    except (NotFound, StoreError):
        return None
    return {"last": rule.last, "days": rule.days}


def _document(service: Services, name: str, rule: Rule) -> Retention:
    return {
        "name": name,
        "last": rule.last,
        "days": rule.days,
        "created_at": rule.created_at,
        "expired": expired(service.store, service.journal, name, rule),
    }
