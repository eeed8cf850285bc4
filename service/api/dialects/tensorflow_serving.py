"""TensorFlow Serving and version 1 of KServe: `:predict`, and what their clients ask about a model."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Response

from model_store import Store, Version
from model_store.errors import VersionNotFound
from service.api.bodies import MOST_JSON_BYTES
from service.api.dependencies import Service
from service.api.dialects.paths import parts
from service.api.dialects.refusals import described, with_error
from service.api.errors import UnsupportedMediaType
from service.api.json import decode_json, json_response
from service.api.path_converters import noun
from service.api.predictions.codecs import JSON, Dialect, Form, Headers, Reader, Rows, read_envelope
from service.api.routing import PooledRoute
from service.api.schemas.documents import INSTANCES_EXAMPLE, INSTANCES_SCHEMA, exactly_one, json_body
from service.serving import outputs
from service.serving.answers import NUMPY, Array
from service.serving.fast_json import INPUTS, PLACE, WORTH_IT, ValueList, fast, of_list, without_lists
from service.serving.formats.columns import invalid
from service.serving.warm_models import Served, Warm
from service.strict_json import count_brackets
from service.use_cases.current_versions import Key
from service.use_cases.open_model import signature_of
from service.use_cases.predict import choose

START, END = "/v1/models/", ":predict"
SIGNATURE = "serving_default"  # the one that there is
NESTED = frozenset((list, dict))
_OWN = re.compile(r"/v1/models/[^/]+(?:(?:/(?:versions|labels)/[^/]+)?(?::predict|/metadata)|/labels/[^/]+)")
DTYPES = {"FP32": "DT_FLOAT", "FP64": "DT_DOUBLE", "INT64": "DT_INT64", "BOOL": "DT_BOOL", "BYTES": "DT_STRING"}
router = APIRouter(prefix="/v1/models/{name}", tags=["dialects"], responses=described("error"), route_class=PooledRoute)


def asked(path: str) -> Key | None:
    """The model and the version or label that a prediction is asked of; None for every other path."""
    found = parts(path, START, END)
    if found is None or found[1] not in ("", "versions", "labels"):
        return None
    name, place, reference = found
    # Digits are no label; with what stands before them they are no version either, and so are not found.
    return name, f"labels/{reference}" if place == "labels" and reference.isdecimal() else reference or None


def is_its_own(path: str) -> bool:
    """Whether only clients of this dialect ask for this path; what they share with others is told as to those."""
    return _OWN.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Rows as `from_body` takes them, or a large body, or the values in it, that can perhaps be read faster: then `whole` is
    what came. And whether columns came, which are answered by columns."""

    body: Any
    columns: bool
    whole: bytes | None = None


def _reader(headers: Headers) -> Reader:
    kind = headers.get(b"content-type", b"").decode("latin-1").split(";", 1)[0].strip().lower()
    # curl calls a body this when nobody says what it is, and TensorFlow Serving's own examples say nothing.
    if kind not in ("", JSON, "application/x-www-form-urlencoded") and not kind.endswith("+json"):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON}")
    return Reader(_decode, _read, quick=_read, few=True, most=MOST_JSON_BYTES)


def _decode(body: bytes) -> _Asked:
    if len(body) < WORTH_IT:
        return plain(decode_json(body))
    if body.startswith(b'{"instances"'):
        return _Asked(body, columns=False, whole=body)
    if INPUTS.match(body):
        return _Asked(body, columns=True, whole=body)
    return _rows_beside(body) or plain(decode_json(body), count_brackets(body))


def _rows_beside(body: bytes) -> _Asked | None:
    """The rows of a body with something beside them, such as `signature_name`, alone."""
    for name in ("instances", "inputs"):
        found = without_lists(body, name.encode())
        if found is not None and len(found[1]) == 1:
            document = decode_json(found[0])
            if isinstance(document, dict) and document.get(name) == PLACE:
                rest = plain({**document, name: []})
                if rest.body.keys() == {"instances"}:
                    return _Asked(found[1][0], rest.columns, whole=body)
    return None


def plain(document: Any, brackets: int | None = None) -> _Asked:
    """The document without what only this protocol has. So many brackets open in its text, if that is known.

    Raises:
        InvalidInstances: it is none of it.
    """
    if not isinstance(document, dict):
        raise invalid('expected an object: {"instances": [row, …]} or {"inputs": {name: […]}}')
    document = dict(document)
    if document.pop("signature_name", SIGNATURE) not in (SIGNATURE, "", None):
        raise invalid(f"the one signature is {SIGNATURE!r}", "/signature_name")
    if isinstance(document.get("instances"), list):
        document["instances"] = _rows(document["instances"], brackets)
    columns = "inputs" in document
    if isinstance(document.get("inputs"), list) and "instances" not in document:  # KServe means the same by both
        document = {**document, "instances": _rows(document["inputs"], brackets)}
        del document["inputs"]
    elif isinstance(document.get("inputs"), dict):
        document["inputs"] = {name: _row(column) for name, column in document["inputs"].items()}
    return _Asked(document, columns)


def _rows(rows: list[Any], brackets: int | None) -> list[Any]:
    """Rows of single values."""
    kinds = set(map(type, rows))
    if kinds == {dict} and any("b64" in row for row in rows):
        kinds = set()
    if kinds in ({list}, {dict}) and brackets == len(rows) + 2:  # those of the document, of the list and of each row
        return rows
    return list(map(_row, rows))


def _row(row: Any) -> Any:
    """A row, or a column, of single values."""
    if isinstance(row, list):
        return row if NESTED.isdisjoint(map(type, row)) else list(map(_value, row))
    if isinstance(row, dict) and row.keys() != {"b64"}:
        return {name: _value(each) for name, each in row.items()}
    return _value(row)


def _value(value: Any) -> Any:
    """A tensor of one value is that value; bytes are a text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and value.keys() == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True).decode()
        except (TypeError, ValueError, binascii.Error):
            raise invalid("`b64` holds no UTF-8 in base64") from None
    return value


def _read(warm: Warm, given: _Asked) -> Rows:
    document = given.body
    if given.whole is None:
        return read_envelope(warm, document)
    by = of_list if isinstance(document, ValueList) else fast
    raw = by(document, warm.signature, warm.model.fills_missing)
    return (
        read_envelope(warm, plain(decode_json(given.whole), count_brackets(given.whole)).body) if raw is None else raw
    )


def _write_rows(_: Served, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
    bodies, start = [], 0
    for count in counts:
        rows = outputs.rows(warm.signature, answers[start : start + count])
        bodies.append(orjson.dumps({"predictions": rows}, option=NUMPY))
        start += count
    return bodies


def _write_columns(_: Served, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
    """By columns for TensorFlow Serving, and by rows, which KServe calls the answer to `inputs`, too."""
    bodies, start = [], 0
    for count in counts:
        part = answers[start : start + count]
        named = outputs.by_name(warm.signature, part)
        columns = named if len(named) > 1 else next(iter(named.values()))
        told = {"outputs": columns, "predictions": outputs.rows(warm.signature, part)}
        bodies.append(orjson.dumps(told, option=NUMPY))
        start += count
    return bodies


ROWS, COLUMNS = Form(JSON, _write_rows), Form(JSON, _write_columns)
TENSORFLOW_SERVING = Dialect(_reader, lambda _, given: COLUMNS if given.columns else ROWS, with_error)
PREDICT_SCHEMA = {
    "type": "object",
    "properties": {
        "signature_name": {"enum": [SIGNATURE, "", None]},
        "instances": INSTANCES_SCHEMA["properties"]["instances"],
        "inputs": {"type": ["object", "array"], "description": "columns by name; a list is rows, as KServe has it"},
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
    """`{"instances": …}` → `{"predictions": …}`, by the version that a prediction without one is by."""


@router.post(
    "/versions/{version}:predict", summary="The same, by one version", response_model=dict[str, Any], openapi_extra=BODY
)
def predict_with(name: str, version: str) -> None:
    """By that version: a number, an alias, or `latest`."""


@router.post(
    "/labels/{label}:predict", summary="The same, by a label", response_model=dict[str, Any], openapi_extra=BODY
)
def predict_labelled(name: str, label: str) -> None:
    """By the version that the alias of this name points at."""


@router.get(f"/labels/{noun('label')}", summary="Whether a label's version is available", response_model=dict[str, Any])
def status(service: Service, name: str, label: str) -> Response:
    """Its number and its state, as TensorFlow Serving tells it."""
    found = _labelled(service.store, name, label)
    about = {"error_code": "OK", "error_message": ""}
    told = {"version": str(found.number), "state": "AVAILABLE", "status": about}
    return json_response({"model_version_status": [told]})


@router.get("/metadata", summary="Describe the tensors, for TensorFlow Serving", response_model=dict[str, Any])
def metadata(service: Service, name: str) -> Response:
    """The tensors of the version that a prediction without one is by."""
    return _metadata(choose(service.store, name, None))


@router.get("/versions/{version}/metadata", summary="The same, of one version", response_model=dict[str, Any])
def metadata_of(service: Service, name: str, version: str) -> Response:
    """The tensors of that version."""
    return _metadata(service.store.resolve(name, version))


@router.get("/labels/{label}/metadata", summary="The same, of a label's version", response_model=dict[str, Any])
def metadata_labelled(service: Service, name: str, label: str) -> Response:
    """The tensors of the version that the alias of this name points at."""
    return _metadata(_labelled(service.store, name, label))


def _labelled(store: Store, name: str, label: str) -> Version:
    if label.isdecimal():
        raise VersionNotFound("models", name, label)
    return store.resolve(name, label)


def _metadata(version: Version) -> Response:
    signature = signature_of(version)
    taken = [outputs.Described(each.name, outputs.datatype(each), 1) for each in signature.inputs]
    told = {
        "inputs": {each.name: _tensor(each) for each in taken},
        "outputs": {each.name: _tensor(each) for each in outputs.outputs(signature)},
        "method_name": "tensorflow/serving/predict",
    }
    return json_response(
        {
            "model_spec": {"name": version.name, "signature_name": "", "version": str(version.number)},
            "metadata": {"signature_def": {"signature_def": {SIGNATURE: told}}},
        }
    )


def _tensor(each: outputs.Described) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in each.shape()]
    return {"dtype": DTYPES[each.datatype], "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": each.name}
