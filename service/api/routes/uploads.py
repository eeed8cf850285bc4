"""Resumable uploads, in the vocabulary of tus 1.0 (https://tus.io/protocols/resumable-upload): core, creation, expiration and
termination."""

import asyncio
from contextlib import closing
from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from service.access.scopes import Scope
from service.api.bodies import media_type, write_body
from service.api.dependencies import Caller, Service, key_id
from service.api.errors import UnsupportedMediaType
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.upload import OFFSET_STREAM, Upload, piece_body
from service.use_cases import uploads

router = APIRouter(prefix="/v1/uploads", tags=["share"], responses=PROBLEMS, route_class=PooledRoute)

NUMBER = r"^(0|[1-9][0-9]{0,17})$"
Length = Annotated[str, Header(alias="Upload-Length", pattern=NUMBER, description="how many bytes it will have")]
Offset = Annotated[str, Header(alias="Upload-Offset", pattern=NUMBER, description="how many bytes it has")]


@router.post("", status_code=201, summary="Begin a resumable upload")
@needs(Scope.ADMIN)
def create(service: Service, response: Response, caller: Caller, length: Length) -> Upload:
    """An empty upload of a bundle, for the key that made it alone. It expires a day after its last byte."""
    made = service.uploads.create(key_id(caller), int(length))
    response.headers["Location"] = f"/v1/uploads/{made.id}"
    return _described(response, made)


@router.get("/{upload}", summary="Show a resumable upload")
@needs(Scope.ADMIN)
def show(service: Service, response: Response, caller: Caller, upload: str) -> Upload:
    """How much of it has arrived; HEAD has the same headers."""
    response.headers["Cache-Control"] = "no-store"
    return _described(response, service.uploads.get(key_id(caller), upload))


@router.patch(
    "/{upload}",
    status_code=204,
    summary="Continue a resumable upload",
    openapi_extra=piece_body(),
)
@needs(Scope.ADMIN)
async def append(request: Request, service: Service, caller: Caller, upload: str, offset: Offset) -> Response:
    """Appends the body. If the connection breaks, what has arrived is kept: HEAD gives the offset at which to go on. 409 if
    that is not `Upload-Offset`."""
    if media_type(request) != OFFSET_STREAM:
        raise UnsupportedMediaType(f"expected Content-Type: {OFFSET_STREAM}")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("an offset counts the bytes that are sent: expected no Content-Encoding")
    owner, pools = key_id(caller), service.pools
    with closing(await pools.reading.run(service.uploads.writer, owner, upload, int(offset))) as writer:
        await write_body(request, writer.room, writer.write)
        await asyncio.get_running_loop().run_in_executor(pools.writing, writer.flush)
    response = Response(None, 204)
    _describe(response, await pools.reading.run(service.uploads.get, owner, upload))
    return response


@router.delete("/{upload}", status_code=204, summary="Delete a resumable upload")
@needs(Scope.ADMIN)
def remove(service: Service, caller: Caller, upload: str) -> None:
    """Deletes what has arrived of it."""
    service.uploads.remove(key_id(caller), upload)


def _describe(response: Response, upload: uploads.Upload) -> None:
    response.headers["Tus-Resumable"] = "1.0.0"
    response.headers["Upload-Offset"] = str(upload.offset)
    response.headers["Upload-Length"] = str(upload.length)
    response.headers["Upload-Expires"] = formatdate(upload.expires, usegmt=True)


def _described(response: Response, upload: uploads.Upload) -> Upload:
    _describe(response, upload)
    return {"id": upload.id, "length": upload.length, "offset": upload.offset, "expires_at": upload.expires_at}
