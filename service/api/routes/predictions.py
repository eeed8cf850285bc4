"""Predictions: GET with the features in the query, POST with many rows."""

import hashlib
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.datastructures import QueryParams

from model_store import Version
from service.api import documents
from service.api.accept import choose as negotiate
from service.api.bodies import read_json
from service.api.documents import INSTANCES_EXAMPLE, INSTANCES_SCHEMA, PROBLEMS, json_body
from service.api.json import json_response
from service.api.parts import Parts, Service
from service.serving.answers import predictions
from service.serving.instances import from_body, from_texts
from service.serving.warm_models import Warm
from service.use_cases.predict import choose, warm
from service.workflow.encode import unknown_categories

router = APIRouter(prefix="/v1/models/{name}", tags=["predictions"], responses=PROBLEMS)

Body = Annotated[Any, Depends(read_json)]
BODY = json_body(INSTANCES_SCHEMA, INSTANCES_EXAMPLE)
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "What `If-None-Match` names is still the answer."}}
MEDIA_TYPES = ("application/json",)
Accept = Annotated[str, Header(description="`application/json`")]
IfNoneMatch = Annotated[str | None, Header(description="the ETag of an answer that is at hand")]
FOR_EVER = "public, max-age=31536000, immutable"


@router.post("/predictions", summary="Predict", response_model=documents.Predictions, openapi_extra=BODY)
def predict(service: Service, name: str, body: Body, accept: Accept = "*/*") -> Response:
    """By the version that `production` points at, if that alias is set, else by the latest."""
    negotiate(accept, MEDIA_TYPES)
    return _predict(service, choose(service.store, name, None), body)


@router.post(
    "/versions/{version}/predictions",
    summary="Predict with one version",
    response_model=documents.Predictions,
    openapi_extra=BODY,
)
def predict_with(service: Service, name: str, version: str, body: Body, accept: Accept = "*/*") -> Response:
    """By that version: a number, an alias, or `latest`."""
    negotiate(accept, MEDIA_TYPES)
    return _predict(service, choose(service.store, name, version), body)


@router.get(
    "/predictions",
    summary="Predict, with the features in the query",
    response_model=documents.Predictions,
    responses=UNCHANGED,
)
def look_up(
    request: Request, service: Service, name: str, accept: Accept = "*/*", if_none_match: IfNoneMatch = None
) -> Response:
    """`?x=0.5`; each name as often as there are rows."""
    media_type = negotiate(accept, MEDIA_TYPES)
    version = choose(service.store, name, None)
    return _look_up(service, version, "no-cache", request.query_params, media_type, if_none_match)


@router.get(
    "/versions/{version}/predictions",
    summary="Predict with one version, with the features in the query",
    response_model=documents.Predictions,
    responses=UNCHANGED,
)
def look_up_with(
    request: Request,
    service: Service,
    name: str,
    version: str,
    accept: Accept = "*/*",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """As without a version; the answer of a numbered version may be kept for ever."""
    media_type = negotiate(accept, MEDIA_TYPES)
    found = choose(service.store, name, version)
    keep = FOR_EVER if version.isdecimal() else "no-cache"
    return _look_up(service, found, keep, request.query_params, media_type, if_none_match)


def _predict(service: Parts, version: Version, body: Any) -> Response:
    model = warm(service.store, service.warm, version)
    return _answer(version, model, from_body(model.signature, body, model.model.fills_missing), {})


def _look_up(
    service: Parts, version: Version, keep: str, query: QueryParams, media_type: str, if_none_match: str | None
) -> Response:
    columns: dict[str, list[str]] = {name: query.getlist(name) for name in sorted(query)}
    known_by = orjson.dumps([version.digest, media_type, columns])  # the order of names says nothing, that of rows does
    etag = f'"{hashlib.sha256(known_by).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": keep, "Vary": "Accept"}
    if if_none_match is not None and (if_none_match.strip() == "*" or etag in _etags(if_none_match)):
        return Response(status_code=304, headers=headers)
    model = warm(service.store, service.warm, version)
    return _answer(version, model, from_texts(model.signature, columns, model.model.fills_missing), headers)


def _answer(version: Version, model: Warm, raw: Any, headers: dict[str, str]) -> Response:
    answer = {
        "model_name": version.name,
        "model_version": version.number,
        "predictions": predictions(model, raw),
    }
    told = {"Model-Name": version.name, "Model-Version": str(version.number)}
    if unknown := unknown_categories(model.signature.inputs, raw):
        told["Unknown-Categories"] = str(unknown)
    return json_response(answer, headers=told | headers)


def _etags(header: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in header.split(",")}
