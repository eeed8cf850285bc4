"""Predictions: GET with the features in the query, POST with many rows."""

import hashlib
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response

from model_store import Version
from service.api.bodies import read_json
from service.api.documents import INSTANCES_EXAMPLE, INSTANCES_SCHEMA, PROBLEMS, json_body
from service.api.json import json_response
from service.api.parts import Parts, Service
from service.serving.answers import predictions
from service.serving.instances import check_missing, from_body, from_texts
from service.serving.warm_models import Warm
from service.use_cases.predict import choose, warm

router = APIRouter(prefix="/v1/models/{name}", tags=["predictions"], responses=PROBLEMS)

Body = Annotated[Any, Depends(read_json)]
BODY = json_body(INSTANCES_SCHEMA, INSTANCES_EXAMPLE)


@router.post("/predictions", summary="Predict", openapi_extra=BODY)
def predict(service: Service, name: str, body: Body) -> Response:
    """By the version that `production` points at, if that alias is set, else by the latest."""
    return _predict(service, choose(service.store, name, None), body)


@router.post("/versions/{version}/predictions", summary="Predict with one version", openapi_extra=BODY)
def predict_with(service: Service, name: str, version: str, body: Body) -> Response:
    """By that version: a number, an alias, or `latest`."""
    return _predict(service, choose(service.store, name, version), body)


@router.get("/predictions", summary="Predict, with the features in the query")
def look_up(
    request: Request, service: Service, name: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """`?x=0.5`; each name as often as there are rows."""
    return _look_up(request, service, choose(service.store, name, None), None, if_none_match)


@router.get("/versions/{version}/predictions", summary="Predict with one version, with the features in the query")
def look_up_with(
    request: Request, service: Service, name: str, version: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """As without a version; the answer of a numbered version may be kept for ever."""
    return _look_up(request, service, choose(service.store, name, version), version, if_none_match)


def _predict(service: Parts, version: Version, body: Any) -> Response:
    model = warm(service.store, service.warm, version)
    return _answer(version, model, from_body(model.signature, body), {})


def _look_up(
    request: Request, service: Parts, version: Version, reference: str | None, if_none_match: str | None
) -> Response:
    query = request.query_params.multi_items()
    canonical = orjson.dumps(sorted(query, key=lambda item: item[0]))
    etag = f'"{hashlib.sha256(version.digest.encode() + canonical).hexdigest()}"'
    fixed = reference is not None and reference.isdigit()
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=31536000, immutable" if fixed else "no-cache",
        "Vary": "Accept",
    }
    if if_none_match is not None and (if_none_match.strip() == "*" or etag in _etags(if_none_match)):
        return Response(status_code=304, headers=headers)
    texts: dict[str, list[str]] = {}
    for feature, text in query:
        texts.setdefault(feature, []).append(text)
    model = warm(service.store, service.warm, version)
    return _answer(version, model, from_texts(model.signature, texts, ""), headers)


def _answer(version: Version, model: Warm, raw: Any, headers: dict[str, str]) -> Response:
    check_missing(model.signature, raw, model.model.fills_missing)
    answer = {
        "model_name": version.name,
        "model_version": version.number,
        "predictions": predictions(model, raw),
    }
    return json_response(answer, headers={"Model-Name": version.name, "Model-Version": str(version.number), **headers})


def _etags(header: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in header.split(",")}
