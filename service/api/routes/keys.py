"""API keys."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Response

from service.access.audit import record_change
from service.access.scopes import WORDS, Scope
from service.api.bodies import read_json
from service.api.dependencies import Service
from service.api.errors import InvalidRequest
from service.api.pagination import After, Limit, cut
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.access import KEY_EXAMPLE, KEY_SCHEMA, Key, NewKey
from service.api.schemas.answer import Page, page
from service.api.schemas.bodies import json_body

router = APIRouter(prefix="/v1/keys", tags=["access"], responses=PROBLEMS, route_class=PooledRoute)

EXPECTED = 'expected {"name": <a name>, "scopes": [%s], "expires_in_days": <a number, or null>}'


@router.get("", summary="List the keys")
@needs(Scope.ADMIN)
def index(service: Service, after: After = None, limit: Limit = 1000) -> Page[Key]:
    """All keys, oldest first, revoked ones included; without the secrets, which are not stored."""
    keys = service.keyring.all()
    begin = next((at for at, key in enumerate(keys, 1) if key.id == after), len(keys) if after else 0)
    shown, more = cut(keys[begin:], limit)
    return page((cast(Key, key.public()) for key in shown), more)


@router.post(
    "",
    status_code=201,
    summary="Create a key",
    openapi_extra=json_body(KEY_SCHEMA, KEY_EXAMPLE),
)
@needs(Scope.ADMIN)
def create(response: Response, service: Service, body: Annotated[Any, Depends(read_json)]) -> NewKey:
    """The secret is in this response only. The first key enables authentication."""
    name, scopes, days = _wanted(body)
    key, secret = service.keyring.create(name, [WORDS[word] for word in scopes], days)
    record_change("key.created", key.name, after={"id": key.id, "scopes": scopes, "expires_at": key.expires_at})
    response.headers["Cache-Control"] = "no-store"
    return cast(NewKey, {**key.public(), "key": secret})


@router.delete("/{key}", status_code=204, summary="Revoke a key")
@needs(Scope.ADMIN)
def revoke(service: Service, key: str) -> None:
    """Revokes a key by its name or id. Other processes on this home notice within a second."""
    revoked = service.keyring.revoke(key)
    record_change("key.revoked", revoked.name, before={"id": revoked.id})


def _wanted(body: Any) -> tuple[str, list[str], float | None]:
    about = {"expires_in_days": None, **body} if isinstance(body, dict) else {}
    name, scopes, days = about.get("name"), about.get("scopes"), about.get("expires_in_days")
    number = isinstance(days, int | float) and not isinstance(days, bool)
    known = isinstance(scopes, list) and all(isinstance(each, str) and each in WORDS for each in scopes)
    if set(about) != {"name", "scopes", "expires_in_days"} or not isinstance(name, str) or not known:
        raise InvalidRequest(EXPECTED % " | ".join(f'"{word}"' for word in WORDS))
    if not (days is None or number):
        raise InvalidRequest("expires_in_days must be a number, or null for a key that does not expire")
    return name, scopes or [], days if number else None
