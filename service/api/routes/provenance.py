"""Where a version comes from: its signature, and its bill of materials."""

import hashlib

import orjson
from fastapi import APIRouter, Response

from service.access.scopes import Scope
from service.api.dependencies import Service
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.bodies import file_answer
from service.use_cases.bill_of_materials import bill_of_materials
from service.workflow.errors import NotAvailable

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["share"], responses=PROBLEMS, route_class=PooledRoute)

SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CYCLONEDX = "application/vnd.cyclonedx+json"


@router.get(
    "/{version}/signature",
    summary="Show a version's signature",
    response_class=Response,
    responses=file_answer("The signature, in the format of OpenSSF model-signing.", SIGSTORE_BUNDLE),
)
@needs(Scope.PREDICT)
def signature(service: Service, name: str, version: str) -> Response:
    """A Sigstore bundle with an in-toto statement of the SHA-256 of each file; not verified. 404 if the version is not signed."""
    found = service.store.resolve(name, version)
    if (kept := service.store.models.signature(found)) is None:
        raise NotAvailable(f"version {found.number} is not signed")
    return Response(kept, media_type=SIGSTORE_BUNDLE, headers={"ETag": f'"{hashlib.sha256(kept).hexdigest()}"'})


@router.get(
    "/{version}/bom",
    summary="Show a version's bill of materials",
    response_class=Response,
    responses=file_answer("The bill of materials.", CYCLONEDX),
)
@needs(Scope.PREDICT)
def bom(service: Service, name: str, version: str) -> Response:
    """CycloneDX 1.6: the model with its card and files, its data, and the software that trained it; always the same."""
    found = service.store.resolve(name, version)
    return Response(orjson.dumps(bill_of_materials(found)), media_type=f"{CYCLONEDX}; version=1.6")
