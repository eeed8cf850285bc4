"""Bodies of MLflow's scoring server and of SageMaker: a dataframe as JSON, rows, columns, or CSV."""

import csv
import io
from dataclasses import dataclass
from itertools import chain
from typing import Any

from service.serving.codecs import DECODERS
from service.serving.codecs.codec import Decoder, Rows
from service.serving.codecs.fast_json import LEAST_FAST_BYTES, PLACEHOLDER, ValueList, extract_lists, features_of_list
from service.serving.codecs.json import json_decoder, read_envelope
from service.serving.codecs.tensorflow_serving import Request, plain, unwrapped
from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.strict_json import count_brackets, decode_body
from service.workflow.spec_base import nearest

CSV = "text/csv"
LONGEST_HEADER = 2**20
KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SPLIT = ("columns", "index", "data")


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a `dataframe_split`, and its body for the general parser."""

    names: list[str]
    rows: ValueList
    body: bytes


def _decode(body: bytes) -> Any:
    """Decodes any form to a document for `from_body`, to a `Request`, or to `_Values`."""
    if len(body) < LEAST_FAST_BYTES:
        return _body(decode_body(body))
    found = extract_lists(body, b"data") if body.find(b'"dataframe_split"', 0, LEAST_FAST_BYTES) >= 0 else None
    if found is not None and len(found[1]) == 1:
        given = decode_body(found[0])
        frame = given.get("dataframe_split") if isinstance(given, dict) else None
        if isinstance(frame, dict) and frame.get("data") == PLACEHOLDER and isinstance(frame.get("columns"), list):
            frame["data"] = []
            return _Values(list(_body(given)["inputs"]), found[1][0], body)
    return _body(decode_body(body), count_brackets(body))


def _read(warm: Warm, given: Any) -> Rows:
    if not isinstance(given, _Values):
        return _read_document(warm, given)
    raw = features_of_list(given.rows, warm.signature, warm.model.fills_missing, given.names)
    return _read_document(warm, _body(decode_body(given.body))) if raw is None else raw


def _read_document(warm: Warm, given: Any) -> Rows:
    return read_envelope(warm, unwrapped(warm, given) if isinstance(given, Request) else given)


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
    return plain(given, brackets)


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
    return DECODERS[CSV].read(warm, _with_header(warm, body))


def _read_small_csv(warm: Warm, body: bytes) -> Rows | None:
    quick = DECODERS[CSV].quick
    return None if quick is None else quick(warm, _with_header(warm, body))


def _with_header(warm: Warm, body: bytes) -> bytes:
    """Adds a header unless the body has one: MLflow sends it, SageMaker sends columns in the signature's order without one."""
    names = [each.name for each in warm.signature.inputs]
    first = body.split(b"\n", 1)[0][:LONGEST_HEADER].decode("utf-8", "replace")
    if not set(next(csv.reader([first.strip("\ufeff\r")]), ())).isdisjoint(names):
        return body
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(names)
    return header.getvalue().encode() + body


JSON_DECODER = json_decoder(_decode, _read)
CSV_DECODER = Decoder(bytes, _read_csv, in_loop=0, quick=_read_small_csv)
