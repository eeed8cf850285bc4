"""Inference requests of the Open Inference Protocol, version 2: tensors in JSON, or as bytes after it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from service.serving.codecs import outputs
from service.serving.codecs.codec import Decoder, Encoder, JsonThenBytes
from service.serving.codecs.fast_json import LEAST_FAST_BYTES, PLACEHOLDER, extract_lists
from service.serving.codecs.json import MEDIA_TYPE, NUMPY, json_decoder
from service.serving.codecs.outputs import MATRIX
from service.serving.codecs.shaped_values import B64, is_file
from service.serving.codecs.tensors import (
    BYTES,
    DTYPES,
    Tensor,
    check_datatype,
    check_shape,
    from_bytes,
    from_json,
    parsed_values,
    raw_rows,
    to_bytes,
)
from service.serving.forward import Array
from service.serving.limits import invalid
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.strict_json import decode_body
from service.workflow.data.table import Texts
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature
from service.workflow.spec_base import nearest, shown

OCTETS = "application/octet-stream"
CACHED_BYTES = 4096  # of documents that are cached: clients that send bytes repeat the same document


@dataclass(frozen=True, slots=True)
class _InputTensor:
    """An input in the document, which has its `data`, or is followed by its `size` bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int | None
    data: object


@dataclass(frozen=True, slots=True)
class _Document:
    """The JSON of a request. `requested` maps the requested outputs to whether they are sent as bytes; None for all outputs."""

    id: str | None
    inputs: tuple[_InputTensor, ...]
    requested: Mapping[str, bool] | None
    binary: bool


@dataclass(frozen=True, slots=True)
class _Request:
    """A document and the bytes that follow it."""

    document: _Document
    rest: memoryview


RAW = _Document(None, (), None, binary=True)


def decoder(head_length: int | None, document_end: Callable[[bytes], int]) -> Decoder:
    """The decoder of a body of JSON, or of JSON and bytes.

    Args:
        head_length: the length of the JSON by the header; None if the whole body is JSON.
        document_end: gives the length of the JSON in a body; it may raise.
    """
    if head_length is None:
        return _JSON_ALONE
    quick = _read_numbers if head_length <= CACHED_BYTES else None
    return Decoder(lambda body: _decode(body, document_end(body)), _read, quick=quick)


def _decode(body: bytes, end: int) -> _Request:
    if not end:
        return _Request(RAW, memoryview(body))
    head = body[:end]
    return _Request(_cached_document(head) if end <= CACHED_BYTES else _document(head), memoryview(body)[end:])


def _decode_json(body: bytes) -> _Request:
    return _Request(_cached_document(body) if len(body) <= CACHED_BYTES else _document(body), memoryview(b""))


def _document(head: bytes) -> _Document:
    """Decodes the JSON, and checks what does not depend on the model."""
    given = _document_with_lists(head) if len(head) >= LEAST_FAST_BYTES else None
    if given is None:
        given = decode_body(head)
    if not isinstance(given, dict):
        raise invalid('expected an object: {"inputs": [{"name", "shape", "datatype", "data"}, …]}')
    id_, inputs, requested = given.get("id"), given.get("inputs"), given.get("outputs")
    if id_ is not None and not isinstance(id_, str):
        raise invalid("expected a text", "/id")
    if not isinstance(inputs, list) or not inputs:
        raise invalid("expected a list of at least one tensor", "/inputs")
    binary = _flag(given, "binary_data_output", False, "")
    if requested is not None and not isinstance(requested, list):
        raise invalid("expected a list of outputs", "/outputs")
    return _Document(
        id_,
        tuple(_input_tensor(each, f"/inputs/{i}") for i, each in enumerate(inputs)),
        dict(_requested_output(each, binary, f"/outputs/{i}") for i, each in enumerate(requested))
        if requested
        else None,
        binary,
    )


def _document_with_lists(head: bytes) -> Any:
    """Decodes the JSON with each list of numbers, or of texts, by `parsed_values`; None if that is impossible."""
    found = extract_lists(head, b"data")
    if found is None:
        return None
    document, lists = found
    given = decode_body(document)
    inputs = given.get("inputs") if isinstance(given, dict) else None
    if not isinstance(inputs, list):
        return None
    placed = [each for each in inputs if isinstance(each, dict) and each.get("data") == PLACEHOLDER]
    if len(placed) != len(lists):  # one of them is elsewhere
        return None
    for each, values in zip(placed, lists, strict=True):
        each["data"] = parsed_values(each.get("datatype"), each.get("shape"), values)
        if each["data"] is None:
            return None
    return given


# Errors are not cached, and documents are never changed.
_cached_document = functools.lru_cache(maxsize=256)(_document)


def _input_tensor(given: object, at: str) -> _InputTensor:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise invalid("expected a tensor: an object with name, shape, datatype and data", at)
    datatype = check_datatype(given.get("datatype"), f"{at}/datatype")
    shape = check_shape(given.get("shape"), f"{at}/shape")
    parameters = _parameters(given, at)
    size = parameters.get("binary_data_size")
    if (size is None) == ("data" not in given):
        raise invalid("exactly one of `data` and the parameter `binary_data_size` is expected", at)
    if size is not None and (type(size) is not int or size < 0):
        raise invalid("expected a number of bytes", f"{at}/parameters/binary_data_size")
    return _InputTensor(given["name"], datatype, shape, size, given.get("data"))


def _requested_output(given: object, binary: bool, at: str) -> tuple[str, bool]:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise invalid("expected an output: an object with its name", at)
    for name in ("classification", "shared_memory_region"):
        if _parameters(given, at).get(name):
            raise invalid(f"`{name}` is not offered here", f"{at}/parameters/{name}")
    return given["name"], _flag(given, "binary_data", binary, at)


def _parameters(given: dict[str, Any], at: str) -> dict[str, Any]:
    parameters = given.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise invalid("expected an object", f"{at}/parameters")
    return parameters or {}


def _flag(given: dict[str, Any], name: str, default: bool, at: str) -> bool:
    value = _parameters(given, at).get(name, default)
    if not isinstance(value, bool):
        raise invalid("expected true or false", f"{at}/parameters/{name}")
    return value


def _tensors(signature: Signature, document: _Document, rest: memoryview) -> list[Tensor]:
    """The inputs with their values. The sum of their sizes is checked before anything is allocated."""
    sizes = sum(each.size for each in document.inputs if each.size is not None)
    if sizes != len(rest):
        raise invalid(f"the inputs declare {sizes} bytes after the JSON; {len(rest)} follow")
    found, start = [], 0
    files = {each.name for each in signature.inputs if is_file(each)}
    alone = bool(files) and len(signature.inputs) == len(document.inputs) == 1  # then its name does not matter
    for i, each in enumerate(document.inputs):
        of_files = alone or each.name in files
        if each.size is None:
            values = from_json(each.datatype, each.shape, each.data, f"/inputs/{i}/data")
            if of_files and each.datatype == BYTES and not isinstance(values, np.ndarray | Texts):
                values = [None if text is None else {B64: text} for text in values]
        else:
            data = rest[start : start + each.size]
            values = from_bytes(each.datatype, each.shape, data, f"/inputs/{i}", files=of_files)
            start += each.size
        found.append(Tensor(each.name, each.datatype, each.shape, values))
    return found


def _read(warm: Warm, given: _Request) -> Tensors:
    signature = warm.signature
    if given.document.requested is not None:
        names = {each.name for each in outputs.outputs(signature)}
        for name in given.document.requested:
            if name not in names:
                raise invalid(f"{shown(name)} is no output of this model; {nearest(name, names)}", "/outputs")
    tensors = (
        [_raw_input(warm, given.rest)] if given.document is RAW else _tensors(signature, given.document, given.rest)
    )
    return raw_rows(signature, tensors, warm.model.fills_missing)


def _read_numbers(warm: Warm, given: _Request) -> Tensors | None:
    """As `_read`, but None if a tensor has texts, which take longer."""
    return None if any(each.datatype == BYTES for each in given.document.inputs) else _read(warm, given)


def _raw_input(warm: Warm, body: memoryview) -> Tensor:
    """The input whose bytes are the whole body."""
    requested = outputs.inputs(warm.signature)
    if warm.signature.shaped or len(requested) > 1 or requested[0].name != MATRIX:
        raise invalid("a body without a JSON document is for models with one tensor of numbers")
    datatype = requested[0].datatype
    rows = len(body) // (DTYPES[datatype].itemsize * warm.width)
    shape = check_shape([rows, warm.width], "")
    return Tensor(MATRIX, datatype, shape, from_bytes(datatype, shape, body, ""))


_JSON_ALONE = json_decoder(_decode_json, _read)


def encoder(given: Any) -> Encoder:
    """The encoder of the answer to a decoded request."""
    document = given.document
    binary = any(document.requested.values()) if document.requested is not None else document.binary
    return Encoder(OCTETS if binary else MEDIA_TYPE, functools.partial(_write, document))


def _write(
    document: _Document,
    version: ServedVersion,
    warm: Warm,
    answers: Array,
    _: Sequence[int],  # `write` is specific to a request, which so has all the answers
) -> list[bytes]:
    listed: list[dict[str, Any]] = []
    bodies: list[bytes] = []
    described = outputs.outputs(warm.signature)
    for each, values in zip(described, outputs.values(warm.signature, answers), strict=True):
        if document.requested is not None and each.name not in document.requested:
            continue
        tensor: dict[str, Any] = {"name": each.name, "datatype": each.datatype, "shape": each.shape(len(answers))}
        if document.binary if document.requested is None else document.requested[each.name]:
            bodies.append(to_bytes(each.datatype, values))
            tensor["parameters"] = {"binary_data_size": len(bodies[-1])}
        else:
            tensor["data"] = values
        listed.append(tensor)
    head: dict[str, Any] = {"model_name": version.name, "model_version": str(version.number)}
    if document.id is not None:
        head["id"] = document.id
    written = orjson.dumps(head | {"outputs": listed}, option=NUMPY)
    if not bodies:
        return [written]
    body = JsonThenBytes(b"".join([written, *bodies]))
    body.json_length = len(written)
    return [body]
