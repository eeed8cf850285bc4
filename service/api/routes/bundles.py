"""Bundles: one version as one file, to copy it from one service to another."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fastapi import APIRouter, Request, Response

from model_store import write_bundle
from model_store.names import check_name
from model_store.os_errors import storage_errors
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.bodies import body_on_disk, media_type
from service.api.dependencies import Service
from service.api.errors import UnsupportedMediaType
from service.api.held_file_response import HeldFileResponse
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs, pool
from service.api.schemas.bodies import file_answer, file_body
from service.api.schemas.model import Published
from service.use_cases.import_bundle import import_bundle
from service.use_cases.model_card import bundled_card

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["share"], responses=PROBLEMS, route_class=PooledRoute)

ZIP = "application/zip"


@router.get(
    "/{version}/bundle",
    summary="Download a version as one file",
    response_class=Response,
    responses=file_answer("The bundle.", "application/zip"),
)
@needs(Scope.TRAIN)
@pool("files")
def fetch(service: Service, name: str, version: str) -> Response:
    """A zip file with the manifest, the model card and all files; always the same bytes for a version."""
    found = service.store.resolve(name, version)
    with storage_errors(), ExitStack() as files:
        service.temporary.mkdir(parents=True, exist_ok=True)
        descriptor, name_of_file = tempfile.mkstemp(dir=service.temporary, suffix=".zip")
        path = Path(name_of_file)
        files.callback(path.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as file:
            write_bundle(found, service.store.models, file, bundled_card(found))
        held = files.pop_all()
    headers = {"ETag": f'"{found.digest}"'}
    return HeldFileResponse(path, media_type=ZIP, filename=f"{name}-{found.number}.zip", headers=headers, held=held)


@router.post(
    "",
    status_code=201,
    summary="Upload a bundle",
    responses={200: {"model": Published, "description": "The version exists already."}},
    openapi_extra=file_body(ZIP),
)
@needs(Scope.ADMIN)
async def take(request: Request, response: Response, service: Service, name: str) -> Published:
    """Adds the model's next version; 200 and the existing version if its digest exists already."""
    check_name(name)
    if media_type(request) not in (ZIP, "application/octet-stream"):
        raise UnsupportedMediaType(f"expected Content-Type: {ZIP}")
    service.pools.uploads.check()
    async with body_on_disk(request, service.temporary, service.max_upload_bytes) as path:
        limits = service.max_upload_bytes, service.limits.model_bytes
        version, new = await service.pools.uploads.run(import_bundle, service.store, name, path, *limits)
    if new:
        record_change("version.imported", f"{name}/{version.number}", after=version.digest)
    await service.pools.reading.run(service.current.follow_publish, name, version.number)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/models/{name}/versions/{version.number}"
    return {"name": name, "version": version.number, "digest": version.digest, "created_at": version.created_at}
