"""TensorFlow Serving and version 1 of KServe: `:predict`, metadata and status of a model."""

import re
from typing import Any

from fastapi import APIRouter, Response

from model_store import Store, Version
from model_store.errors import VersionNotFound
from service.api.dependencies import Service
from service.api.dialects.refusals import described, with_error
from service.api.errors import UnsupportedMediaType
from service.api.json import json_response
from service.api.path_converters import noun
from service.api.predictions.dialect import Dialect, Headers, content_type
from service.api.predictions.paths import parts
from service.api.routing import PredictRoute
from service.api.schemas.bodies import exactly_one, json_body
from service.api.schemas.prediction import INSTANCES_EXAMPLE, INSTANCES_SCHEMA
from service.model_reference import ModelReference
from service.serving.codecs import JSON, outputs, tensorflow_serving
from service.serving.codecs.codec import Decoder
from service.serving.codecs.tensorflow_serving import SIGNATURE
from service.use_cases.open_model import signature_of
from service.use_cases.predict import choose

START, END = "/v1/models/", ":predict"
_OWN = re.compile(r"/v1/models/[^/]+(?:(?:/(?:versions|labels)/[^/]+)?(?::predict|/metadata)|/labels/[^/]+)")
DTYPES = {
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "INT64": "DT_INT64",
    "BOOL": "DT_BOOL",
    "BYTES": "DT_STRING",
    "UINT8": "DT_UINT8",
}
router = APIRouter(
    prefix="/v1/models/{name}", tags=["dialects"], responses=described("error"), route_class=PredictRoute
)


def model_of(path: str) -> ModelReference | None:
    """The model, and the version or label, of a path of predictions; None for every other path."""
    found = parts(path, START, END)
    if found is None or found[1] not in ("", "versions", "labels"):
        return None
    name, place, reference = found
    # Digits are not a label: with the prefix they are not found, rather than taken as a version.
    unknown = place == "labels" and reference.isdecimal()
    return ModelReference(name, f"labels/{reference}" if unknown else reference or None)


def is_its_own(path: str) -> bool:
    """Whether a path is specific to this dialect; errors of paths shared with the native protocol have that one's form."""
    return _OWN.fullmatch(path) is not None


def _decoder(headers: Headers) -> Decoder:
    kind = content_type(headers)
    # Examples of TensorFlow Serving use curl without a Content-Type, which then sends that of a form.
    if kind not in ("", JSON, "application/x-www-form-urlencoded") and not kind.endswith("+json"):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON}")
    return tensorflow_serving.DECODER


TENSORFLOW_SERVING = Dialect(_decoder, lambda _, decoded: tensorflow_serving.encoder(decoded), with_error)
PREDICT_SCHEMA = {
    "type": "object",
    "properties": {
        "signature_name": {"enum": [SIGNATURE, "", None]},
        "instances": INSTANCES_SCHEMA["properties"]["instances"],
        "inputs": {"type": ["object", "array"], "description": "columns by name; a list has rows, as in KServe"},
    },
    "oneOf": exactly_one("instances", "inputs"),
    "additionalProperties": False,
}
BODY = json_body(PREDICT_SCHEMA, INSTANCES_EXAMPLE)


@router.post(
    ":predict",
    summary="Predict, for clients of TensorFlow Serving and KServe",
    response_model=dict[str, Any],
    openapi_extra=BODY,
)
def predict(name: str) -> None:
    """`{"instances": …}` → `{"predictions": …}`, by the version that `production` points at, else the latest."""


@router.post(
    "/versions/{version}:predict", summary="Predict with one version", response_model=dict[str, Any], openapi_extra=BODY
)
def predict_with(name: str, version: str) -> None:
    """Predicts with a version: a number, an alias, or `latest`."""


@router.post(
    "/labels/{label}:predict", summary="Predict with a label", response_model=dict[str, Any], openapi_extra=BODY
)
def predict_labelled(name: str, label: str) -> None:
    """Predicts with the version that the alias of this name points at."""


@router.get(f"/labels/{noun('label')}", summary="Show the status of a label's version", response_model=dict[str, Any])
def status(service: Service, name: str, label: str) -> Response:
    """The version's number and state, in the form of TensorFlow Serving."""
    found = _labelled(service.store, name, label)
    about = {"error_code": "OK", "error_message": ""}
    available = {"version": str(found.number), "state": "AVAILABLE", "status": about}
    return json_response({"model_version_status": [available]})


@router.get("/metadata", summary="Describe the tensors, for TensorFlow Serving", response_model=dict[str, Any])
def metadata(service: Service, name: str) -> Response:
    """The tensors of the version that `production` points at, else of the latest."""
    return _metadata(choose(service.store, name, None))


@router.get("/versions/{version}/metadata", summary="Describe a version's tensors", response_model=dict[str, Any])
def metadata_of(service: Service, name: str, version: str) -> Response:
    """The tensors of a version."""
    return _metadata(service.store.resolve(name, version))


@router.get("/labels/{label}/metadata", summary="Describe a label's tensors", response_model=dict[str, Any])
def metadata_labelled(service: Service, name: str, label: str) -> Response:
    """The tensors of the version that the alias of this name points at."""
    return _metadata(_labelled(service.store, name, label))


def _labelled(store: Store, name: str, label: str) -> Version:
    if label.isdecimal():
        raise VersionNotFound("models", name, label)
    return store.resolve(name, label)


def _metadata(version: Version) -> Response:
    signature = signature_of(version)
    taken = [outputs.input_of(each) for each in signature.inputs]
    signature_def = {
        "inputs": {each.name: _tensor(each) for each in taken},
        "outputs": {each.name: _tensor(each) for each in outputs.outputs(signature)},
        "method_name": "tensorflow/serving/predict",
    }
    return json_response(
        {
            "model_spec": {"name": version.name, "signature_name": "", "version": str(version.number)},
            "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature_def}}},
        }
    )


def _tensor(each: outputs.TensorSpec) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in each.shape()]
    return {"dtype": DTYPES[each.datatype], "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": each.name}
