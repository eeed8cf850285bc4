"""Aliases: names of versions, moved by compare-and-swap, with their history."""

import re
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from model_store import Entry
from model_store.errors import AliasCorrupt, AliasNotFound, StoreError
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.bodies import read_json
from service.api.dependencies import Service, Services
from service.api.errors import InvalidRequest
from service.api.pagination import After, Limit, cut
from service.api.problems import PROBLEMS, error_document
from service.api.routing import PooledRoute, needs
from service.api.schemas.answer import Page, page
from service.api.schemas.bodies import ALIAS_EXAMPLE, ALIAS_SCHEMA, LARGEST_VERSION, json_body
from service.api.schemas.model import Alias

router = APIRouter(prefix="/v1/models/{name}/aliases", tags=["aliases"], responses=PROBLEMS, route_class=PooledRoute)

ETAG = '"?([0-9]{1,18})"?'
IfMatch = Annotated[
    str | None,
    Header(description="the expected ETag of the alias", json_schema_extra={"pattern": f"^{ETAG}$"}),
]
IfNoneMatch = Annotated[
    str | None, Header(description="`*`: only if the alias does not exist", json_schema_extra={"const": "*"})
]


@router.get("", summary="List a model's aliases")
@needs(Scope.PREDICT)
def index(service: Service, name: str, after: After = None, limit: Limit = 1000) -> Page[Alias]:
    """All aliases of the model, by name, each with its version."""
    _check_model(service, name)
    found = sorted(service.store.aliases.all(name).items())
    shown, more = cut([each for each in found if after is None or each[0] > after], limit)
    return page((_document(name, alias, entry) for alias, entry in shown), more)


@router.get("/{alias}", summary="Show an alias")
@needs(Scope.PREDICT)
def show(service: Service, response: Response, name: str, alias: str) -> Alias:
    """The alias. Its ETag is the number of its newest entry."""
    _check_model(service, name)
    return _answer(response, name, alias, service.store.aliases.get(name, alias))


@router.get("/{alias}/history", summary="Show an alias's history")
@needs(Scope.PREDICT)
def history(
    service: Service,
    name: str,
    alias: str,
    after: Annotated[int, Query(ge=0, le=LARGEST_VERSION, description="the last entry of the previous page")] = 0,
    limit: Limit = 1000,
) -> Page[Alias]:
    """All entries, oldest first; `version` is null where the alias was deleted."""
    _check_model(service, name)
    entries = list(islice(service.store.aliases.history(name, alias, after=after), limit + 1))
    return page((_document(name, alias, entry) for entry in entries[:limit]), len(entries) > limit)


@router.put(
    "/{alias}",
    summary="Point an alias at a version",
    openapi_extra=json_body(ALIAS_SCHEMA, ALIAS_EXAMPLE),
)
@needs(Scope.ADMIN)
def put(
    service: Service,
    response: Response,
    name: str,
    alias: str,
    body: Annotated[Any, Depends(read_json)],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Alias:
    """Moves the alias, or creates it."""
    version = body.get("version") if isinstance(body, dict) and set(body) == {"version"} else None
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= LARGEST_VERSION:
        raise InvalidRequest('expected {"version": <the number of a version>}')
    if if_none_match not in (None, "*"):
        raise InvalidRequest("If-None-Match can only be *")
    was = _number(service, name, alias)
    entry = service.store.aliases.set(
        name, alias, version, expected=_expected(if_match), absent=if_none_match is not None
    )
    if entry.number != was:
        _note(service, name, alias, entry)
    service.current.follow(name)
    return _answer(response, name, alias, entry)


@router.delete("/{alias}", status_code=204, summary="Delete an alias")
@needs(Scope.ADMIN)
def remove(service: Service, name: str, alias: str, if_match: IfMatch = None) -> None:
    """Deletes the alias, and keeps its history."""
    _check_model(service, name)
    _note(service, name, alias, service.store.aliases.delete(name, alias, expected=_expected(if_match)))
    service.current.follow(name)


@router.post("/{alias}/rollback", summary="Roll an alias back to its previous version")
@needs(Scope.ADMIN)
def rollback(service: Service, response: Response, name: str, alias: str, if_match: IfMatch = None) -> Alias:
    """Appends an entry with the version of the entry before the newest."""
    _check_model(service, name)
    entry = service.store.aliases.rollback(name, alias, expected=_expected(if_match))
    _note(service, name, alias, entry)
    service.current.follow(name)
    return _answer(response, name, alias, entry)


def _check_model(service: Services, name: str) -> None:
    """Raises NameNotFound if there is no such model."""
    service.store.models.latest_number(name)


def _number(service: Services, name: str, alias: str) -> int:
    """The number of the alias's newest entry; 0 if there is none, or it cannot be read."""
    try:
        return service.store.aliases.get(name, alias).number
    except StoreError:
        return 0


def _note(service: Services, name: str, alias: str, entry: Entry) -> None:
    """Records the new entry in the audit log, with the version of the entry before."""
    try:
        last = service.store.aliases.before(name, alias, entry.number)
    except StoreError:
        last = None  # it cannot be read; the change was made
    before = None if last is None else last.version
    record_change(
        "alias.moved" if entry.version is not None else "alias.deleted", f"{name}/{alias}", before, entry.version
    )


def _expected(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    etag = re.fullmatch(ETAG, if_match.strip())
    if etag is None:
        raise InvalidRequest("If-Match must be the ETag of an alias, a whole number in quotes")
    return int(etag[1])


def _answer(response: Response, name: str, alias: str, entry: Entry) -> Alias:
    if entry.version is None:
        raise AliasNotFound(name, alias)
    response.headers["ETag"] = f'"{entry.number}"'
    return _document(name, alias, entry)


def _document(name: str, alias: str, entry: Entry) -> Alias:
    """The entry as it is shown. A damaged one is shown with its error, so that a list remains readable."""
    damage = AliasCorrupt(name, alias, entry.number) if entry.damaged else None
    return {
        "alias": alias,
        "version": entry.version,
        "entry": entry.number,
        "created_at": entry.created_at or None,
        "error": None if damage is None else error_document(damage),
    }
