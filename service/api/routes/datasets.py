"""Data sets: upload, change how they are read, show, delete."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from model_store import Version
from model_store.names import check_name
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.bodies import read_json, temporary_folder
from service.api.dependencies import Service
from service.api.pagination import After, Limit, cut
from service.api.pools import cancel_on_disconnect
from service.api.problems import PROBLEMS
from service.api.reading_options import changes_of
from service.api.routing import TrainRoute, needs
from service.api.schemas.answer import Page, page
from service.api.schemas.dataset import Dataset, dataset_document, listed_dataset
from service.api.schemas.dataset_bodies import change_body, table_body
from service.api.table_uploads import USUAL, table_on_disk
from service.use_cases.delete_dataset import delete
from service.use_cases.upload_dataset import first_rows, read_anew, upload

router = APIRouter(prefix="/v1/datasets", tags=["data sets"], responses=PROBLEMS, route_class=TrainRoute)

SAME: dict[int | str, dict[str, Any]] = {200: {"model": Dataset, "description": "The data set has not changed."}}
UPLOAD: dict[str, Any] = {
    "status_code": 201,
    "summary": "Upload a data set",
    "responses": SAME,
    "openapi_extra": table_body(*USUAL),
}


@router.put("/{name}", **UPLOAD)
@router.post("/{name}", **UPLOAD)
async def put(request: Request, response: Response, service: Service, name: str) -> Dataset:
    """Adds a version; 200 if the newest version has the same bytes and is read in the same way. How the file is read is
    detected, except for the options given in the query or the form."""
    check_name(name)
    service.surveys.check()
    most = service.max_upload_bytes
    async with table_on_disk(request, service.temporary, most) as table:
        version, new = await cancel_on_disconnect(
            upload(service.surveys, service.store, name, table.path, table.media_type, table.options, most)
        )
    return _uploaded(response, version, new)


@router.patch(
    "/{name}",
    status_code=201,
    summary="Change how a data set is read",
    responses=SAME,
    openapi_extra=change_body(),
)
async def patch(response: Response, service: Service, name: str, body: Annotated[Any, Depends(read_json)]) -> Dataset:
    """Adds a version with the newest one's bytes. The options are merged into the earlier ones; null removes an option."""
    check_name(name)
    changes = changes_of(body)
    with temporary_folder(service.temporary) as folder:
        version, new = await cancel_on_disconnect(
            read_anew(service.surveys, service.store, name, changes, service.max_upload_bytes, folder)
        )
    return _uploaded(response, version, new)


@router.get("", summary="List data sets, by name")
def index(service: Service, after: After = None, limit: Limit = 20) -> Page[Dataset]:
    """The newest version of every data set."""
    datasets = service.store.datasets
    names, more = cut([name for name in datasets.names() if after is None or name > after], limit)
    found = (listed_dataset(name, None, partial(datasets.latest, name)) for name in names)
    return page((each for each in found if each is not None), more)


@router.get("/{name}", summary="Show a data set")
def show(service: Service, name: str) -> Dataset:
    """The newest version: how it is read, and its columns with examples, statistics, and why they have their types."""
    return dataset_document(service.store.datasets.latest(name))


@router.get(
    "/{name}/versions",
    summary="List a data set's versions, newest first",
)
def versions(
    service: Service, name: str, after: Annotated[int | None, Query(ge=1)] = None, limit: Limit = 20
) -> Page[Dataset]:
    """All versions, newest first."""
    datasets = service.store.datasets
    shown, more = cut(datasets.newest(name, after, limit + 1), limit)
    found = (listed_dataset(name, number, partial(datasets.get, name, number)) for number in shown)
    return page((each for each in found if each is not None), more)


@router.get("/{name}/rows", summary="Show the first rows of a data set")
def rows(service: Service, name: str, limit: Limit = 20) -> Page[dict[str, Any]]:
    """The first rows of the newest version, at most 1,000."""
    version = service.store.datasets.latest(name)
    head = first_rows(service.store, version, limit)
    return page(head, version.manifest["schema"]["rows"] > len(head))


@router.delete("/{name}", status_code=204, summary="Delete a data set")
@needs(Scope.ADMIN)
def remove(service: Service, name: str) -> None:
    """Deletes all versions. Queued jobs that need them fail; running jobs continue."""
    delete(service.store, service.journal, name)
    record_change("dataset.deleted", name)


def _uploaded(response: Response, version: Version, new: bool) -> Dataset:
    if new:
        record_change("dataset.uploaded", f"{version.name}/{version.number}", after=version.manifest["digest"])
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/datasets/{version.name}"
    return dataset_document(version)
