"""Bundles: one version as one file, to copy it from one service to another."""

import base64
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from model_store import Version
from model_store.errors import InvalidBundle
from model_store.names import check_name
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.bodies import BODY, body_on_disk, decoded_body, media_type, temporary_folder
from service.api.dependencies import IS_HEAD, Caller, Service, Services, key_id
from service.api.errors import InvalidFields, UnsupportedMediaType
from service.api.held_file_response import HeldStreamResponse
from service.api.problems import PROBLEMS
from service.api.ranges import is_known, range_of
from service.api.routing import PooledRoute, needs, pool
from service.api.schemas.bodies import file_answer
from service.api.schemas.model import Published
from service.api.schemas.upload import bundle_body
from service.use_cases.import_bundle import import_bundle
from service.use_cases.model_card import bundled_card
from service.workflow.errors import Fault

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["share"], responses=PROBLEMS, route_class=PooledRoute)

ZIP, JSON = "application/zip", "application/json"
IfNoneMatch = Annotated[str | None, Header(description="the ETag of a bundle that is known")]
RangeHeader = Annotated[str | None, Header(alias="Range", description="one part of the file, such as `bytes=1000-`")]
IfRange = Annotated[
    str | None, Header(description="the ETag of the file that the part belongs to; else all of it is sent")
]
PARTS: dict[int | str, dict[str, Any]] = {
    **file_answer("The bundle.", ZIP),
    206: {
        "description": "The part of the bundle that `Range` asks for.",
        "content": file_answer("", ZIP)[200]["content"],
    },
    304: {"description": "The ETag is that of `If-None-Match`."},
}


@router.get("/{version}/bundle", summary="Download a version as one file", response_class=Response, responses=PARTS)
@needs(Scope.TRAIN)
@pool("files")
def fetch(
    request: Request,
    service: Service,
    name: str,
    version: str,
    if_none_match: IfNoneMatch = None,
    wanted: RangeHeader = None,
    if_range: IfRange = None,
) -> Response:
    """A zip file with the manifest, the signature, the model card and all files; always the same bytes for a version and its
    signature. `ETag` and `Repr-Digest` are their SHA-256; `Range` asks for a part of them."""
    found = service.store.resolve(name, version)
    with ExitStack() as files:
        bundle = files.enter_context(service.bundles.open(found, bundled_card(found)))
        etag = f'"{bundle.sha256}"'
        digest = base64.b64encode(bytes.fromhex(bundle.sha256)).decode()
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Repr-Digest": f"sha-256=:{digest}:"}
        if is_known(",".join(request.headers.getlist("if-none-match")), etag):
            return Response(None, 304, headers)
        start, stop, status = 0, bundle.size, 200
        if (part := range_of(request.headers, bundle.size, etag)) is not None:
            (start, stop), status = part, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{bundle.size}"
        headers["Content-Length"] = str(stop - start)
        headers["Content-Disposition"] = f'attachment; filename="{name}-{found.number}.zip"'
        if request.scope.get(IS_HEAD):
            return Response(None, status, headers, media_type=ZIP)
        pieces = bundle.chunks(start, stop)
        return HeldStreamResponse(pieces, held=files.pop_all(), status_code=status, headers=headers, media_type=ZIP)


@router.post(
    "",
    status_code=201,
    summary="Upload a bundle",
    responses={200: {"model": Published, "description": "The version exists already."}},
    openapi_extra=bundle_body(),
)
@needs(Scope.ADMIN)
async def take(request: Request, response: Response, service: Service, caller: Caller, name: str) -> Published:
    """Adds the model's next version; 200 and the existing version if its digest exists already. The bundle is the body, or a
    resumable upload that `{"upload": …}` names. That is removed, unless it may be imported later: after 429, 503 and 507."""
    check_name(name)
    given = media_type(request)
    if given not in (ZIP, "application/octet-stream", JSON):
        raise UnsupportedMediaType(f"expected Content-Type: {ZIP}, or {JSON} with the id of an upload")
    service.pools.uploads.check()
    if given == JSON:
        version, new = await _take_upload(service, key_id(caller), name, await _upload_of(request))
    else:
        async with body_on_disk(request, service.temporary, service.max_upload_bytes) as path:
            version, new = await _import(service, name, path)
    if new:
        record_change("version.imported", f"{name}/{version.number}", after=version.digest)
    await service.pools.reading.run(service.current.follow_publish, name, version.number)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/models/{name}/versions/{version.number}"
    return {"name": name, "version": version.number, "digest": version.digest, "created_at": version.created_at}


async def _upload_of(request: Request) -> str:
    async with decoded_body(request) as body:
        upload = body.get("upload") if isinstance(body, dict) and set(body) == {"upload"} else None
    if not isinstance(upload, str):
        raise InvalidFields(Fault("/upload", 'expected {"upload": <the id of an upload>}'))
    return upload


async def _take_upload(service: Services, owner: str | None, name: str, upload: str) -> tuple[Version, bool]:
    reading = service.pools.reading
    with temporary_folder(service.temporary) as folder:
        await reading.run(service.uploads.link, owner, upload, folder / BODY)
        try:
            taken = await _import(service, name, folder / BODY)
        except InvalidBundle:
            await reading.run(service.uploads.discard, upload)
            raise
    await reading.run(service.uploads.discard, upload)
    return taken


async def _import(service: Services, name: str, path: Path) -> tuple[Version, bool]:
    limits = service.max_upload_bytes, service.limits.model_bytes
    return await service.pools.uploads.run(import_bundle, service.store, service.signatures, name, path, *limits)
