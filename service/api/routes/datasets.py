"""Data sets: upload, show, delete."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from model_store import Version
from model_store.names import check_name
from service.access.audit import note
from service.api import documents
from service.api.bodies import body_on_disk, media_type
from service.api.documents import PROBLEMS, file_body
from service.api.errors import UnsupportedMediaType
from service.api.json import json_response
from service.api.lists import After, Limit, cut, newest_first, page
from service.api.parts import Service
from service.use_cases.delete_dataset import delete
from service.use_cases.upload_dataset import HEAD, upload
from service.workflow.data.formats import FORMATS

router = APIRouter(prefix="/v1/datasets", tags=["data sets"], responses=PROBLEMS)

MEDIA_TYPES = tuple(FORMATS)


@router.put(
    "/{name}",
    status_code=201,
    summary="Upload a data set",
    response_model=documents.Dataset,
    responses={200: {"model": documents.Dataset, "description": "The newest version has these bytes already."}},
    openapi_extra=file_body(*MEDIA_TYPES),
)
async def put(request: Request, service: Service, name: str) -> Response:
    """A new version; the newest version's own bytes make none and answer 200."""
    check_name(name)
    given = media_type(request)
    if given not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"expected Content-Type: {' or '.join(MEDIA_TYPES)}")
    async with body_on_disk(request, service.temporary, service.max_upload_bytes) as path:
        version, new = await run_in_threadpool(upload, service.store, name, path, given)
    if new:
        note("dataset.uploaded", f"{name}/{version.number}", after=version.manifest["digest"])
    return json_response(_document(version), 201 if new else 200, {"Location": f"/v1/datasets/{name}"})


@router.get("", summary="List data sets, by name", response_model=documents.Page[documents.Dataset])
def index(service: Service, after: After = None, limit: Limit = 20) -> Response:
    """The newest version of each data set."""
    names, more = cut([name for name in service.store.datasets.names() if after is None or name > after], limit)
    found = (service.store.datasets.latest(name) for name in names)
    return json_response(page([_document(each) for each in found], more))


@router.get("/{name}", summary="Show a data set", response_model=documents.Dataset)
def show(service: Service, name: str) -> Response:
    """The newest version: its columns with their types and statistics."""
    return json_response(_document(service.store.datasets.latest(name)))


@router.get(
    "/{name}/versions",
    summary="List a data set's versions, newest first",
    response_model=documents.Page[documents.Dataset],
)
def versions(
    service: Service, name: str, after: Annotated[int | None, Query(ge=1)] = None, limit: Limit = 20
) -> Response:
    """Every version, newest first."""
    shown, more = newest_first(service.store.datasets.numbers(name), after, limit)
    return json_response(page([_document(service.store.datasets.get(name, number)) for number in shown], more))


@router.get("/{name}/rows", summary="The first rows of a data set", response_model=documents.Page[dict[str, Any]])
def rows(service: Service, name: str, limit: Limit = 20) -> Response:
    """The first rows of the newest version, at most 1,000."""
    version = service.store.datasets.latest(name)
    head: list[Any] = orjson.loads(service.store.datasets.path(version, HEAD).read_bytes())
    return json_response(page(head[:limit], version.manifest["schema"]["rows"] > limit))


@router.delete("/{name}", status_code=204, summary="Delete a data set")
def remove(service: Service, name: str) -> Response:
    """Every version goes. Jobs that wait for it fail; running ones go on."""
    delete(service.store, service.journal, name)
    note("dataset.deleted", name)
    return Response(status_code=204)


def _document(version: Version) -> dict[str, Any]:
    schema = version.manifest["schema"]
    return {
        "name": version.name,
        "version": version.number,
        "rows": schema["rows"],
        "bytes": version.manifest["bytes"],
        "digest": version.manifest["digest"],
        "media_type": version.manifest["media_type"],
        "created_at": version.created_at,
        "columns": [
            {"name": each["name"], "type": each["type"], "missing": each["missing"], "statistics": each["statistics"]}
            for each in schema["columns"]
        ],
    }
