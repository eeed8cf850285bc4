"""Models, and their versions: list, open, delete."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, Header, Query, Response
from safetensors.torch import save

from model_store import Entry, Listed, Store, Version
from model_store.catalogue import Listing
from model_store.errors import UNREADABLE, AliasCorrupt, NotFound, Unavailable
from model_store.record import Record
from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.accept import choose
from service.api.dependencies import Service, Services
from service.api.held_file_response import HeldFileResponse
from service.api.json import json_response
from service.api.pagination import After, Limit, cut
from service.api.path_converters import noun
from service.api.problems import PROBLEMS, damaged, error_document
from service.api.routing import PooledRoute, needs, pool
from service.api.row_range import row_range
from service.api.schemas.answer import Page, page
from service.api.schemas.bodies import file_answer
from service.api.schemas.model import LatestRow, Manifest, Model, ModelPage, Parameters, ShownModel
from service.api.schemas.model import Version as ShownVersion
from service.use_cases import inspect_tensors
from service.use_cases.artifacts import artifact_digest
from service.use_cases.attempt_store import STATE_DICT
from service.use_cases.draw_plot import draw
from service.use_cases.export_model import export as export_model
from service.use_cases.predict import load, served
from service.workflow import inspection
from service.workflow.errors import NotAvailable
from service.workflow.exports import EXPORTS
from service.workflow.spec_base import nearest, shown

router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEMS, route_class=PooledRoute)

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "json": "application/json"}
SAFETENSORS = EXPORTS["safetensors"].media_type


@router.get("", summary="List models, by name")
@needs(Scope.PREDICT)
def index(service: Service, after: After = None, limit: Limit = 20) -> ModelPage:
    """All models, each with its latest version and its aliases."""
    listing = service.catalogue.open()
    shown, more = cut(listing.names(after, limit + 1), limit)
    named = list[str]()

    def listed() -> Iterator[Model]:
        for name in shown:
            if (each := _model_if_there(listing, name)) is not None:
                yield each
                named.append(name)  # the next model is wanted, so this one is in the page

    return ModelPage.model_construct(data=listed(), has_more=more, models=named)


@router.get(f"/{noun('name')}", summary="Show a model")
@needs(Scope.PREDICT)
def show(service: Service, name: str) -> ShownModel:
    """The model's latest version, its versions and aliases."""
    found = service.catalogue.find(name)
    status = [
        {"version": str(number), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for number in reversed(found.numbers)
    ]
    return {**_model(found), "ready": True, "model_version_status": status}


@router.delete(f"/{noun('name')}", status_code=204, summary="Delete a model")
@needs(Scope.ADMIN)
def remove(service: Service, name: str) -> None:
    """Deletes the model's aliases and versions. Their numbers are not reused."""
    known = [service.store.models.record(name, number) for number in service.store.models.numbers(name)]
    try:
        service.store.delete_model(name)
        record_change("model.deleted", name)
        _forget_artifacts(service, known)
    finally:
        _drop_deleted(service, name)  # a deletion that was cut short has taken some versions, too


@router.get(
    "/{name}/versions",
    summary="List a model's versions, newest first",
)
@needs(Scope.PREDICT)
def versions(
    service: Service, name: str, after: Annotated[int | None, Query(ge=1)] = None, limit: Limit = 20
) -> Page[ShownVersion]:
    """All versions with their metrics and the aliases that point at them."""
    shown, more = cut(service.store.models.newest(name, after, limit + 1), limit)
    aliases = service.store.aliases.all(name)
    found = (_version_if_there(service.store, name, number, aliases) for number in shown)
    return page((each for each in found if each is not None), more)


@router.get(f"/{{name}}/versions/{noun('version')}", summary="Show a version's manifest")
@needs(Scope.PREDICT)
def manifest(service: Service, name: str, version: str) -> Manifest:
    """The manifest, with the version's name, number, digest and aliases."""
    found = service.store.resolve(name, version)
    return cast(Manifest, {**found.manifest, **_version(found, service.store.aliases.all(name))})


@router.delete(f"/{{name}}/versions/{noun('version')}", status_code=204, summary="Delete a version")
@needs(Scope.ADMIN)
def remove_version(service: Service, name: str, version: str) -> None:
    """Deletes a version, damaged or not; 409 while an alias points at it. Its number is not reused."""
    number = service.store.number(name, version)
    record = service.store.models.record(name, number)
    service.store.delete_version(name, number)
    record_change("version.deleted", f"{name}/{number}", before=None if record is None else record.digest)
    _forget_artifacts(service, [record])
    _drop_deleted(service, name)


@router.get("/{name}/versions/{version}/parameters", summary="Show the parameters")
@needs(Scope.TRAIN)
async def parameters(
    service: Service,
    name: str,
    version: str,
    statistics: Annotated[bool, Query(description="false leaves out mean, std, min and max")] = True,
) -> Parameters:
    """All parameters, each with its shape and statistics of its values. The model is not loaded."""
    run, store = service.pools.reading.run, service.store
    found = await run(store.resolve, name, version)
    listed = await run(inspect_tensors.parameters, store, found, statistics=statistics)
    if listed is None:
        summary = await inspect_tensors.summarize(service.exports, store, found)
        listed = await run(inspect_tensors.parameters, store, found, statistics=statistics, summary=summary)
    return cast(Parameters, listed)


@router.get(
    "/{name}/versions/{version}/state_dict",
    summary="Show or download the state_dict",
    response_model=dict[str, Any],
    responses=file_answer("The tensors.", SAFETENSORS),
)
@needs(Scope.TRAIN)
@pool("files")
def state_dict(
    service: Service,
    name: str,
    version: str,
    tensor: Annotated[list[str] | None, Query(alias="name", description="only these tensors")] = None,
    rows: Annotated[str | None, Query(description="rows of the one tensor: `0:10` are the first ten")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """The tensors as JSON, in the state_dict's order; with `Accept: application/x-safetensors` the file. With `rows` some rows of
    a tensor, for which neither the model is loaded nor the file read."""
    as_file = choose(accept, ["application/json", SAFETENSORS]) == SAFETENSORS
    wanted = None if rows is None else row_range(tensor or [], rows)
    found = service.store.resolve(name, version)
    if wanted is not None:
        sliced = {wanted.tensor: inspect_tensors.rows(service.store, found, *wanted)}
        if as_file:
            return Response(save(sliced), media_type=SAFETENSORS)
        return json_response({each: inspection.values(value) for each, value in sliced.items()})
    if as_file:
        return _stored(service, found, "safetensors")
    tensors = load(service.store, service.warm, service.signatures, served(found)).model.tensors()
    for each in tensor or ():
        if each not in tensors:
            raise NotAvailable(f"there is no such tensor; {nearest(each, tensors)}")
    return json_response({each: inspection.values(tensors[each]) for each in tensor or tensors})


@router.get(
    "/{name}/versions/{version}/plots/{plot}",
    summary="Draw a plot",
    response_class=Response,
    responses=file_answer("The plot.", *FORMATS.values()),
)
@needs(Scope.TRAIN)
async def plots(
    service: Service, name: str, version: str, plot: str, accept: Annotated[str, Header()] = "*/*"
) -> Response:
    """`data`, `predictions`, `residuals`, `learning_curve`, `importance`, `partial_dependence`, `parameters`, `filters`,
    `confusion`, `roc`, `precision_recall` or `calibration`, as far as the model has them: the manifest lists its `plots`. A
    suffix `.png`, `.svg` or `.json` takes precedence over Accept."""
    plot, format_ = format_of(plot, accept)
    found = await service.pools.reading.run(service.store.resolve, name, version)
    drawn = await draw(service.plots, service.store, found, plot, format_)
    return Response(drawn, media_type=FORMATS[format_])


@router.get(
    "/{name}/versions/{version}/exports/{export}",
    summary="Export a model",
    response_class=Response,
    responses=file_answer("The file.", *(each.media_type for each in EXPORTS.values())),
)
@needs(Scope.TRAIN)
async def exports(service: Service, name: str, version: str, export: str) -> Response:
    """A file that loads without this software: `safetensors`; or `state_dict` for `torch.load(path, weights_only=True)`. Its
    predictions were compared with the model's: 409 `export_failed` if they differ, or if the model cannot be exported."""
    found = await service.pools.reading.run(service.store.resolve, name, version)
    path = await export_model(service.exports, service.store, found, export)
    if EXPORTS[export].write is None:
        return await service.pools.files.run(_stored, service, found, export)
    return _file(path, found, export, artifact_digest(path), ExitStack())


def _drop_deleted(service: Services, name: str) -> None:
    """After a deletion: updates the versions in use, and drops the models in memory, the metrics and the logged predictions of
    deleted versions."""

    def gone(each: str, number: int) -> bool:
        return each == name and not service.store.models.has(each, number)

    service.current.follow(name)
    service.warm.forget(gone)
    service.metrics.predictions.forget(gone)
    service.prediction_log.forget(gone)


def _stored(service: Services, version: Version, export: str) -> Response:
    held = ExitStack()
    path = held.enter_context(service.store.models.local_file(version, STATE_DICT))
    return _file(path, version, export, version.manifest["files"][STATE_DICT]["sha256"], held)


def _file(path: Path, version: Version, export: str, digest: str, held: ExitStack) -> Response:
    about = EXPORTS[export]
    name = f"{version.name}-{version.number}{about.suffix}"
    try:
        status = path.stat()
    except OSError:  # removed meanwhile, with its version or to make room in the cache
        held.close()
        raise
    headers = {"ETag": f'"{digest}"'}
    return HeldFileResponse(
        path, media_type=about.media_type, filename=name, stat_result=status, headers=headers, held=held
    )


def _forget_artifacts(service: Services, records: Iterable[Record | None]) -> None:
    digests = [record.digest for record in records if record is not None]
    service.plots.forget(digests)
    service.exports.forget(digests)


def format_of(plot: str, accept: str) -> tuple[str, str]:
    """The plot's name, and its format, by its suffix or else by the Accept header."""
    stem, _, suffix = plot.rpartition(".")
    if stem and suffix not in FORMATS:
        raise NotAvailable(f"there is no plot in the form {shown(suffix)}; {nearest(suffix, FORMATS)}")
    if stem:
        return stem, suffix
    chosen = choose(accept, list(FORMATS.values()))
    return plot, next(format_ for format_, media_type in FORMATS.items() if media_type == chosen)


def _model_if_there(listing: Listing[LatestRow], name: str) -> Model | None:
    """The model; None if it was deleted meanwhile."""
    try:
        return _model(listing.get(name))
    except NotFound:
        return None
    except Unavailable as error:  # of this one's folder, maybe
        return damaged(Model, error, name=name, versions=0, aliases={})


def _model(found: Listed[LatestRow]) -> Model:
    errors = [AliasCorrupt(found.name, alias, entry.number) for alias, entry in found.aliases.items() if entry.damaged]
    error = found.error or next(iter(errors), None)
    return {
        "name": found.name,
        "latest": found.numbers[-1],
        "versions": len(found.numbers),
        "aliases": {alias: entry.version for alias, entry in found.aliases.items()},
        "metrics": None if found.latest is None else found.latest["metrics"],
        "created_at": None if found.latest is None else found.latest["created_at"],
        "error": None if error is None else error_document(error),
    }


def _version_if_there(store: Store, name: str, number: int, aliases: dict[str, Entry]) -> ShownVersion | None:
    """The version; None if it was deleted meanwhile."""
    try:
        return {**_version_or_damage(store, name, number), "aliases": _aliases_of(aliases, number)}
    except NotFound:
        return None


def _version_or_damage(store: Store, name: str, number: int) -> ShownVersion:
    """The version; a damaged one with its error, so that a list remains readable."""
    try:
        return _version(store.models.get(name, number), {})
    except UNREADABLE as error:
        return damaged(ShownVersion, error, name=name, version=number, aliases=[])


def _version(version: Version, aliases: dict[str, Entry]) -> ShownVersion:
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "created_at": version.created_at,
        "aliases": _aliases_of(aliases, version.number),
        "metrics": version.manifest.get("metrics"),
        "job": version.manifest.get("job"),
        "error": None,
    }


def _aliases_of(aliases: dict[str, Entry], number: int) -> list[str]:
    return [alias for alias, entry in aliases.items() if entry.version == number]
