"""Keys: who may ask."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from service.access.audit import note
from service.access.scopes import WORDS
from service.api.bodies import read_json
from service.api.dependencies import Service
from service.api.errors import InvalidRequest
from service.api.json import json_response
from service.api.pagination import After, Limit, cut, page_response
from service.api.routing import PooledRoute
from service.api.schemas import documents
from service.api.schemas.documents import KEY_EXAMPLE, KEY_SCHEMA, PROBLEMS, json_body

router = APIRouter(prefix="/v1/keys", tags=["access"], responses=PROBLEMS, route_class=PooledRoute)

EXPECTED = 'expected {"name": <a name>, "scopes": [%s], "expires_in_days": <a number, or null>}'


@router.get("", summary="List the keys", response_model=documents.Page[documents.Key])
def index(service: Service, after: After = None, limit: Limit = 1000) -> Response:
    """Every key, the oldest first, revoked ones too; the keys themselves are nowhere."""
    keys = service.keyring.all()
    begin = next((at for at, key in enumerate(keys, 1) if key.id == after), len(keys) if after else 0)
    shown, more = cut(keys[begin:], limit)
    return page_response((key.shown() for key in shown), more)


@router.post(
    "",
    status_code=201,
    summary="Make a key",
    response_model=documents.NewKey,
    openapi_extra=json_body(KEY_SCHEMA, KEY_EXAMPLE),
)
def create(service: Service, body: Annotated[Any, Depends(read_json)]) -> Response:
    """The key is told in this answer and never again. With the first one the service asks everybody for a key."""
    name, scopes, days = _wanted(body)
    key, secret = service.keyring.create(name, [WORDS[word] for word in scopes], days)
    note("key.created", key.name, after={"id": key.id, "scopes": scopes, "expires_at": key.expires_at})
    return json_response({**key.shown(), "key": secret}, 201, {"Cache-Control": "no-store"})


@router.delete("/{key}", status_code=204, summary="Revoke a key")
def revoke(service: Service, key: str) -> Response:
    """By its name or id. It is refused at once here, and within a second by every process on this home."""
    revoked = service.keyring.revoke(key)
    note("key.revoked", revoked.name, before={"id": revoked.id})
    return Response(status_code=204)


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
