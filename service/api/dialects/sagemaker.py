"""SageMaker's container contract: `/ping` and `/invocations`, for the one model that the settings name. The same path takes
what MLflow's scoring server takes, and errors are told as MLflow tells them; SageMaker only looks at the status."""

import csv
import io
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.api.bodies import MOST_JSON_BYTES
from service.api.dependencies import Service
from service.api.dialects.refusals import described, with_error_code
from service.api.dialects.tensorflow_serving import ROWS, plain
from service.api.errors import UnsupportedMediaType
from service.api.json import decode_json
from service.api.predictions.codecs import (
    JSON,
    JSON_LINES,
    READERS,
    Dialect,
    Form,
    Headers,
    Reader,
    Rows,
    accepted,
    read_envelope,
)
from service.api.routing import PooledRoute
from service.api.schemas.documents import exactly_one, json_body, plain_refusal
from service.serving.fast_json import PLACE, WORTH_IT, ValueList, of_list, without_lists
from service.serving.formats.columns import invalid
from service.serving.warm_models import Warm
from service.strict_json import count_brackets
from service.workflow.errors import NotAvailable
from service.workflow.spec_base import nearest

INVOCATIONS, PING = "/invocations", "/ping"
CSV = "text/csv"
LONGEST_HEADER = 2**20
OTHER_NAMES = {"application/csv": CSV, "application/jsonlines": JSON_LINES}
KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SPLIT = ("columns", "index", "data")
ROWS_SCHEMA = {"type": "array", "minItems": 1}
SCHEMA = {
    "type": "object",
    "properties": {
        "dataframe_split": {
            "type": "object",
            "properties": {"columns": {"type": ["array", "null"]}, "index": {}, "data": ROWS_SCHEMA},
            "required": ["data"],
            "additionalProperties": False,
        },
        "dataframe_records": ROWS_SCHEMA,
        "instances": ROWS_SCHEMA,
        "inputs": {"type": ["object", "array"]},
        "params": {"type": ["object", "null"], "maxProperties": 0},
    },
    "oneOf": exactly_one(*KEYS),
    "additionalProperties": False,
}
EXAMPLE = {"dataframe_split": {"columns": ["x"], "data": [[0.5], [0.9]]}}
router = APIRouter(tags=["dialects"], responses=described("error_code", "message"), route_class=PooledRoute)


def _reader(headers: Headers) -> Reader:
    kind, *parameters = (
        each.strip().lower() for each in headers.get(b"content-type", b"").decode("latin-1").split(";")
    )
    if any(each.startswith("charset=") and each.strip('charset="') not in ("utf-8", "utf8") for each in parameters):
        raise UnsupportedMediaType("the one charset that is taken is utf-8")
    kind = OTHER_NAMES.get(kind, kind)
    if kind == CSV:
        return Reader(lambda body: body, _read_csv, in_loop=0, quick=_read_csv_quickly)
    if kind in ("", JSON) or kind.endswith("+json"):
        return Reader(_decode, _read, quick=_read, few=True, most=MOST_JSON_BYTES)
    if kind not in READERS:
        raise UnsupportedMediaType(f"expected Content-Type: {', '.join(READERS)}")
    return READERS[kind]


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a `dataframe_split`, and the body that it came in."""

    names: list[str]
    rows: ValueList
    body: bytes


def _decode(body: bytes) -> Any:
    """Rows as `from_body` takes them, whichever way they came; or values."""
    if len(body) < WORTH_IT:
        return _body(decode_json(body))
    found = without_lists(body, b"data") if body.find(b'"dataframe_split"', 0, WORTH_IT) >= 0 else None
    if found is not None and len(found[1]) == 1:
        given = decode_json(found[0])
        frame = given.get("dataframe_split") if isinstance(given, dict) else None
        if isinstance(frame, dict) and frame.get("data") == PLACE and isinstance(frame.get("columns"), list):
            frame["data"] = []
            return _Values(list(_body(given)["inputs"]), found[1][0], body)
    return _body(decode_json(body), count_brackets(body))


def _read(warm: Warm, given: Any) -> Rows:
    if not isinstance(given, _Values):
        return read_envelope(warm, given)
    raw = of_list(given.rows, warm.signature, warm.model.fills_missing, given.names)
    return read_envelope(warm, _body(decode_json(given.body))) if raw is None else raw


def _body(given: Any, brackets: int | None = None) -> Any:
    if not isinstance(given, dict):
        raise invalid(f"expected an object with exactly one of {', '.join(KEYS)}")
    if given.get("params") not in (None, {}):
        raise invalid("this model takes no params", "/params")
    given = {name: value for name, value in given.items() if name != "params"}
    if len(given) != 1 or not given.keys() <= set(KEYS):
        unknown = next((each for each in given if each not in KEYS), None)
        hint = f"; {nearest(unknown, KEYS)}" if unknown is not None else ""
        raise invalid(f"exactly one of {', '.join(KEYS)} is expected{hint}")
    if "dataframe_records" in given:
        return {"instances": given["dataframe_records"]}
    if "dataframe_split" in given:
        return _split(given["dataframe_split"])
    return plain(given, brackets).body


def _split(frame: Any) -> dict[str, Any]:
    at = "/dataframe_split"
    if not isinstance(frame, dict) or not frame.keys() <= set(SPLIT) or not isinstance(frame.get("data"), list):
        raise invalid(f"expected an object of {', '.join(SPLIT)} with rows in `data`", at)
    rows, names = frame["data"], frame.get("columns")
    if names is None:
        return {"instances": rows}
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names) or len(set(names)) < len(names):
        raise invalid("expected a list of names, each once", f"{at}/columns")
    width = len(names)
    if set(map(type, rows)) - {list} or set(map(len, rows)) - {width}:
        wrong = next(i for i, row in enumerate(rows) if not isinstance(row, list) or len(row) != width)
        raise invalid(f"expected a list of {width} values, one for each column", f"{at}/data/{wrong}")
    flat = list(chain.from_iterable(rows))
    return {"inputs": {name: flat[i::width] for i, name in enumerate(names)}}


def _read_csv(warm: Warm, body: bytes) -> Rows:
    return READERS[CSV].read(warm, _with_header(warm, body))


def _read_csv_quickly(warm: Warm, body: bytes) -> Rows | None:
    quick = READERS[CSV].quick
    return None if quick is None else quick(warm, _with_header(warm, body))


def _with_header(warm: Warm, body: bytes) -> bytes:
    """With a header, as MLflow sends it, or without one, as SageMaker does: then the columns are in the signature's order."""
    names = [each.name for each in warm.signature.inputs]
    first = body.split(b"\n", 1)[0][:LONGEST_HEADER].decode("utf-8", "replace")
    if not set(next(csv.reader([first.strip("\ufeff\r")]), ())).isdisjoint(names):
        return body
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(names)
    return header.getvalue().encode() + body


def _form(headers: Headers, _: Any) -> Form:
    form = accepted(headers)
    return ROWS if form.media_type == JSON else form


SAGEMAKER = Dialect(_reader, _form, with_error_code)


@router.get(
    PING,
    summary="Whether the service can answer, for SageMaker",
    response_class=PlainTextResponse,
    responses=plain_refusal("The model is not in memory yet, or the service is about to stop."),
)
async def ping(service: Service) -> Response:
    """200 once the model that the settings name is in memory; at once if they name none."""
    key = service.default_model
    ready = not service.feed.closed and (key is None or service.current.last_known(key) is not None)
    return PlainTextResponse("\n", 200 if ready else 503)


@router.post(
    INVOCATIONS,
    summary="Predict, for clients of SageMaker and MLflow",
    response_model=dict[str, Any],
    openapi_extra=json_body(SCHEMA, EXAMPLE),
)
def invocations() -> Response:
    """By the model that `MODELWRIGHT_DEFAULT_MODEL` names; also `text/csv`, with a header or without one."""
    raise NotAvailable("no model is named for this path; MODELWRIGHT_DEFAULT_MODEL says which one it is")
