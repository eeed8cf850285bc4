"""The Open Inference Protocol apart from inference: health, metadata, the model repository, statistics."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from model_store import Store, Version
from model_store.errors import UNREADABLE, NotFound
from service import __version__
from service.access.scopes import Scope
from service.api.bodies import decoded_body
from service.api.dependencies import Service, Services
from service.api.dialects.refusals import described
from service.api.errors import InvalidRequest
from service.api.json import json_response
from service.api.routing import PredictRoute, needs
from service.api.schemas.bodies import file_answer, json_body
from service.serving.codecs import outputs
from service.serving.codecs.open_inference import OCTETS
from service.serving.codecs.tensors import BYTES, DTYPES
from service.telemetry.predictions import BATCH, PredictionFigures, UnlockedHistogram
from service.use_cases import predict
from service.use_cases.open_model import signature_of
from service.use_cases.predict import choose, served

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
PLATFORM = "modelwright_pytorch"
TYPES = {"BYTES": "TYPE_STRING"}  # of a configuration; others are TYPE_ and the datatype
STAGES = {"queue": "queue", "compute_input": "parse", "compute_infer": "forward", "compute_output": "render"}
# Optional members may be null, as MLServer's own types write them.
INPUT_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        "datatype": {"enum": [*DTYPES, BYTES]},
        "data": {"type": "array", "description": "flat, or nested according to the shape"},
        "parameters": {
            "type": ["object", "null"],
            "properties": {"binary_data_size": {"type": ["integer", "null"], "minimum": 0}},
            "description": "`binary_data_size` instead of `data`: the number of bytes after the JSON",
        },
    },
    "required": ["name", "shape", "datatype"],
}
OUTPUT_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "parameters": {"type": ["object", "null"], "properties": {"binary_data": {"type": "boolean"}}},
    },
    "required": ["name"],
}
INFERENCE_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": ["string", "null"]},
        "inputs": {"type": "array", "minItems": 1, "items": INPUT_SCHEMA},
        "outputs": {"type": ["array", "null"], "items": OUTPUT_SCHEMA},
        "parameters": {"type": ["object", "null"], "properties": {"binary_data_output": {"type": "boolean"}}},
    },
    "required": ["inputs"],
}
INFERENCE_EXAMPLE = {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [0.5, 0.9]}]}
BODY = json_body(INFERENCE_SCHEMA, INFERENCE_EXAMPLE)
TENSORS = file_answer("The outputs; those that are wanted as bytes follow the JSON.", "application/json", OCTETS)
PARAMETERS = {"type": ["object", "null"]}
# Triton's client sends no body without parameters.
INDEX_BODY = json_body(
    {"type": "object", "properties": {"ready": {"type": "boolean"}}}, {"ready": True}, required=False
)
LOAD_BODY = json_body(
    {"type": "object", "properties": {"parameters": {**PARAMETERS, "maxProperties": 0}}},
    {"parameters": {}},
    required=False,
)
UNLOAD_BODY = json_body(
    {"type": "object", "properties": {"parameters": PARAMETERS}},
    {"parameters": {"unload_dependents": False}},
    required=False,
)
router = APIRouter(prefix="/v2", tags=["dialects"], responses=described("error"), route_class=PredictRoute)


@router.get("", summary="Describe the server", response_model=dict[str, Any])
@router.get("/", include_in_schema=False)
async def server() -> Response:
    """The server's name, version and protocol extensions."""
    return json_response({"name": "modelwright", "version": __version__, "extensions": EXTENSIONS})


@router.get("/health/live", summary="Check whether it runs, for Triton and KServe", response_model=dict[str, bool])
@needs(None)
async def live() -> Response:
    """200 while the service runs."""
    return json_response({"live": True})


@router.get("/health/ready", summary="Check whether it is ready, for Triton and KServe", response_model=dict[str, bool])
@needs(None)
async def ready(service: Service) -> Response:
    """200 once predictions can be answered, 503 as soon as a stop is requested."""
    if service.feed.closed:
        return json_response({"error": "stopping"}, 503, {"Retry-After": "5"})
    return json_response({"ready": True})


@router.get("/models", summary="List models, for KServe", response_model=dict[str, list[str]])
def models(service: Service) -> Response:
    """The names of all models."""
    return json_response({"models": service.store.models.names()})


@router.get("/models/stats", summary="Show the statistics of all models", response_model=dict[str, Any])
def all_statistics(service: Service) -> Response:
    """Statistics of all versions that were used since the service started."""
    figures = service.metrics.predictions
    return json_response({"model_stats": [_statistics(figures, *each) for each in sorted(figures.versions())]})


@router.get("/models/{name}", summary="Describe a model's tensors", response_model=dict[str, Any])
def metadata(service: Service, name: str) -> Response:
    """The model's versions, inputs and outputs."""
    numbers = service.store.models.numbers(name)
    return json_response(_metadata(choose(service.store, name, None), numbers))


@router.get("/models/{name}/versions/{version}", summary="Describe a version's tensors", response_model=dict[str, Any])
def metadata_of(service: Service, name: str, version: str) -> Response:
    """The version's inputs and outputs."""
    found = service.store.resolve(name, version)
    return json_response(_metadata(found, [found.number]))


@router.get("/models/{name}/ready", summary="Check whether a model is ready", response_model=dict[str, Any])
def model_ready(service: Service, name: str) -> Response:
    """200 if it is there. It need not be in memory: its first inference loads it."""
    choose(service.store, name, None)
    return json_response({"name": name, "ready": True})


@router.get(
    "/models/{name}/versions/{version}/ready", summary="Check whether a version is ready", response_model=dict[str, Any]
)
def version_ready(service: Service, name: str, version: str) -> Response:
    """200 if it is there. It need not be in memory: its first inference loads it."""
    service.store.resolve(name, version)
    return json_response({"name": name, "ready": True})


@router.get("/models/{name}/config", summary="Show a model's configuration, for Triton", response_model=dict[str, Any])
def configuration(service: Service, name: str) -> Response:
    """The tensors in the form of Triton's model configuration."""
    return json_response(_configuration(choose(service.store, name, None)))


@router.get(
    "/models/{name}/versions/{version}/config",
    summary="Show a version's configuration, for Triton",
    response_model=dict[str, Any],
)
def configuration_of(service: Service, name: str, version: str) -> Response:
    """The same for one version."""
    return json_response(_configuration(service.store.resolve(name, version)))


@router.get("/models/{name}/stats", summary="Show a model's statistics", response_model=dict[str, Any])
def statistics(service: Service, name: str) -> Response:
    """Statistics of the model's versions since the service started."""
    numbers = service.store.models.numbers(name)
    return json_response(
        {"model_stats": [_statistics(service.metrics.predictions, name, number) for number in numbers]}
    )


@router.get(
    "/models/{name}/versions/{version}/stats", summary="Show a version's statistics", response_model=dict[str, Any]
)
def statistics_of(service: Service, name: str, version: str) -> Response:
    """Statistics of the version since the service started."""
    found = service.store.resolve(name, version)
    return json_response({"model_stats": [_statistics(service.metrics.predictions, name, found.number)]})


@router.post(
    "/models/{name}/infer",
    summary="Infer",
    response_model=dict[str, Any],
    responses=TENSORS,
    openapi_extra=BODY,
)
def infer(name: str) -> None:
    """Predicts with the `production` version, else the latest. `service/api/predictions/router.py` takes these requests."""


@router.post(
    "/models/{name}/versions/{version}/infer",
    summary="Infer with one version",
    response_model=dict[str, Any],
    responses=TENSORS,
    openapi_extra=BODY,
)
def infer_with(name: str, version: str) -> None:
    """Predicts with a version: a number, an alias, or `latest`."""


@router.post(
    "/repository/index",
    summary="List all versions, for Triton",
    response_model=list[dict[str, str]],
    openapi_extra=INDEX_BODY,
)
async def index(service: Service, request: Request) -> Response:
    """All versions with their states: READY, or UNAVAILABLE if damaged; with `{"ready": true}` only the ready ones."""
    only_ready = (await _document(request)).get("ready", False)
    if not isinstance(only_ready, bool):
        raise InvalidRequest("/ready: expected true or false")
    listed = await service.pools.reading.run(_index, service.store)
    return json_response([each for each in listed if each["state"] == "READY" or not only_ready])


@router.post("/repository/models/{name}/load", summary="Load a model", response_class=Response, openapi_extra=LOAD_BODY)
@needs(Scope.ADMIN)
async def load(service: Service, request: Request, name: str) -> Response:
    """Loads the version of predictions without a version into memory, so that the next one need not wait for it."""
    if _parameters(await _document(request)):
        raise InvalidRequest("/parameters: a model is loaded as it was published; parameters are not supported")

    def loaded() -> None:
        predict.load(service.store, service.warm, service.signatures, served(choose(service.store, name, None)))

    await service.pools.files.run(loaded)
    return Response()


@router.post(
    "/repository/models/{name}/unload",
    summary="Unload a model",
    response_class=Response,
    openapi_extra=UNLOAD_BODY,
)
@needs(Scope.ADMIN)
async def unload(service: Service, request: Request, name: str) -> Response:
    """Removes the model's versions from memory. They stay ready: the next inference loads them again."""
    _parameters(await _document(request))
    await service.pools.reading.run(_unload, service, name)
    return Response()


async def _document(request: Request) -> dict[str, Any]:
    """The body, which may be absent."""
    async with decoded_body(request, absent={}) as document:
        if not isinstance(document, dict):
            raise InvalidRequest("expected an object, or no body")
        return document


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    parameters = document.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidRequest("/parameters: expected an object")
    return parameters or {}


def _unload(service: Services, name: str) -> None:
    for number in service.store.models.numbers(name):
        try:
            service.warm.drop(service.store.models.get(name, number).digest)
        except (NotFound, *UNREADABLE):  # deleted meanwhile, or never in memory
            continue


def _index(store: Store) -> list[dict[str, str]]:
    listed = []
    live = store.models.live()
    for name in live.names():
        for number in live.numbers(name):
            state, reason = "READY", ""
            try:
                store.models.get(name, number)
            except NotFound:  # deleted meanwhile
                continue
            except UNREADABLE as error:
                state, reason = "UNAVAILABLE", str(error)
            listed.append({"name": name, "version": str(number), "state": state, "reason": reason})
    return listed


def _metadata(version: Version, numbers: list[int]) -> dict[str, Any]:
    signature = signature_of(version)
    described_version = {
        "name": version.name,
        "versions": [str(number) for number in numbers],
        "platform": PLATFORM,
        "inputs": [_tensor(each) for each in outputs.inputs(signature)],
        "outputs": [_tensor(each) for each in outputs.outputs(signature)],
    }
    columns = {"inputs": [each.name for each in signature.inputs], "probabilities": signature.labels}
    # The values of `properties` are strings, so the names of columns are a list in JSON.
    return described_version | {
        "properties": {name: orjson.dumps(each).decode() for name, each in columns.items() if each}
    }


def _tensor(each: outputs.TensorSpec) -> dict[str, Any]:
    return {"name": each.name, "datatype": each.datatype, "shape": each.shape()}


def _configuration(version: Version) -> dict[str, Any]:
    signature = signature_of(version)

    def described_tensor(each: outputs.TensorSpec) -> dict[str, Any]:
        return {"name": each.name, "data_type": TYPES.get(each.datatype, f"TYPE_{each.datatype}"), "dims": each.shape()}

    return {
        "name": version.name,
        "platform": PLATFORM,
        "backend": "modelwright",
        "max_batch_size": 0,  # the first dimension is part of the shapes
        "input": [described_tensor(each) for each in outputs.inputs(signature)],
        "output": [described_tensor(each) for each in outputs.outputs(signature)],
    }


def _statistics(figures: PredictionFigures, name: str, number: int) -> dict[str, Any]:
    stages = {title: _duration(figures.stage(name, number, stage)) for title, stage in STAGES.items()}
    answers = figures.answers(name, number)
    good = sum(count for status, count in answers.items() if status < 400)
    batches = figures.stage(name, number, BATCH)
    nothing = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": str(number),
        "inference_count": int(batches.total),
        "execution_count": sum(batches.counts),
        "inference_stats": {
            "success": {"count": good, "ns": sum(each["ns"] for each in stages.values())},
            "fail": {"count": sum(answers.values()) - good, "ns": 0},
            **stages,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": [],
    }


def _duration(histogram: UnlockedHistogram) -> dict[str, int]:
    return {"count": sum(histogram.counts), "ns": round(1e9 * histogram.total)}
