"""Predictions of TensorFlow Serving and of version 1 of KServe: rows in `instances`, columns in `inputs`."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from service.serving.codecs import outputs
from service.serving.codecs.codec import Encoder, Rows, split
from service.serving.codecs.fast_json import (
    INPUTS,
    LEAST_FAST_BYTES,
    PLACEHOLDER,
    ValueList,
    extract_lists,
    features_of_list,
    read_fast,
)
from service.serving.codecs.json import MEDIA_TYPE, NUMPY, json_decoder, read_envelope
from service.serving.forward import Array
from service.serving.limits import invalid
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.strict_json import count_brackets, decode_body
from service.workflow.signature import Signature

SIGNATURE = "serving_default"  # the one signature of a model
NESTED = frozenset((list, dict))


@dataclass(frozen=True, slots=True)
class Request:
    """A document for `read_envelope`, once its values are unwrapped, with the number of lists and objects in it, if known; or
    a large body, or the list in it, for the fast parser, with the `whole` body for the general parser if the fast one fails.
    Columns are answered by columns."""

    body: Any
    columns: bool
    whole: bytes | None = None
    brackets: int | None = None


def _decode(body: bytes) -> Request:
    if len(body) < LEAST_FAST_BYTES:
        return plain(decode_body(body))
    if body.startswith(b'{"instances"'):
        return Request(body, columns=False, whole=body)
    if INPUTS.match(body):
        return Request(body, columns=True, whole=body)
    return _rows_beside(body) or plain(decode_body(body), count_brackets(body))


def _rows_beside(body: bytes) -> Request | None:
    """Extracts the rows of a body with other members, such as `signature_name`."""
    for name in ("instances", "inputs"):
        found = extract_lists(body, name.encode())
        if found is not None and len(found[1]) == 1:
            document = decode_body(found[0])
            if isinstance(document, dict) and document.get(name) == PLACEHOLDER:
                rest = plain({**document, name: []})
                if rest.body.keys() == {"instances"}:
                    return Request(found[1][0], rest.columns, whole=body)
    return None


def plain(document: Any, brackets: int | None = None) -> Request:
    """Removes what only this protocol has from a document, except the form of its values. `brackets` is the number of lists and
    objects in it, if known.

    Raises:
        InvalidInstances: it is not a document of this protocol.
    """
    if not isinstance(document, dict):
        raise invalid('expected an object: {"instances": [row, …]} or {"inputs": {name: […]}}')
    document = dict(document)
    if document.pop("signature_name", SIGNATURE) not in (SIGNATURE, "", None):
        raise invalid(f"the one signature is {SIGNATURE!r}", "/signature_name")
    columns = "inputs" in document
    if isinstance(document.get("inputs"), list) and "instances" not in document:  # KServe accepts rows as both
        document["instances"] = document.pop("inputs")
    return Request(document, columns, brackets=brackets)


def unwrapped(warm: Warm, given: Request) -> Any:
    """The document with single values; as it is for a model whose values have a shape, which `from_body` reads in any form.

    Raises:
        InvalidInstances: a text is in no base64.
    """
    document = given.body
    if warm.signature.shaped:
        return document
    if isinstance(document.get("instances"), list):
        document = {**document, "instances": _rows(document["instances"], given.brackets)}
    if isinstance(document.get("inputs"), dict):
        document = {**document, "inputs": {name: _row(column) for name, column in document["inputs"].items()}}
    return document


def _rows(rows: list[Any], brackets: int | None) -> list[Any]:
    """Rows of single values."""
    kinds = set(map(type, rows))
    if kinds == {dict} and any("b64" in row for row in rows):
        kinds = set()
    if (
        kinds in ({list}, {dict}) and brackets == len(rows) + 2
    ):  # the document, the list and each row: rows have no nested values
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
    """Unwraps a tensor of one value; decodes `b64` bytes to a text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and value.keys() == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True).decode()
        except (TypeError, ValueError, binascii.Error):
            raise invalid("`b64` holds no UTF-8 in base64") from None
    return value


def _read(warm: Warm, given: Request) -> Rows:
    if given.whole is None:
        return read_envelope(warm, unwrapped(warm, given))
    by = features_of_list if isinstance(given.body, ValueList) else read_fast
    raw = by(given.body, warm.signature, warm.model.fills_missing)
    if raw is not None:
        return raw
    return read_envelope(warm, unwrapped(warm, plain(decode_body(given.whole), count_brackets(given.whole))))


def _encoder(document: Callable[[Signature, Array], dict[str, Any]]) -> Encoder:
    """The encoder that writes this document for the answers of each request."""

    def bodies(_: ServedVersion, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
        return [orjson.dumps(document(warm.signature, each), option=NUMPY) for each in split(answers, counts)]

    return Encoder(MEDIA_TYPE, bodies)


def _by_rows(signature: Signature, answers: Array) -> dict[str, Any]:
    return {"predictions": outputs.rows(signature, answers)}


def _by_columns(signature: Signature, answers: Array) -> dict[str, Any]:
    """`outputs` is what TensorFlow Serving answers to `inputs`, `predictions` what KServe does."""
    named = outputs.by_name(signature, answers)
    columns = named if len(named) > 1 else next(iter(named.values()))
    return {"outputs": columns, **_by_rows(signature, answers)}


DECODER = json_decoder(_decode, _read)
ROWS, COLUMNS = _encoder(_by_rows), _encoder(_by_columns)


def encoder(given: Any) -> Encoder:
    """The encoder of the answer to a decoded request: columns are answered by columns."""
    return COLUMNS if given.columns else ROWS
