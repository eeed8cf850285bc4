"""The largest legal requests: one for each route of the service's OpenAPI document and each format that it accepts. New
routes are included automatically; for a new format, or a new JSON document, the body must be added here."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from benchmarks.costly_requests import (
    CSV,
    JSON,
    LINES,
    NPY,
    PARQUET,
    SPEC,
    WIDE,
    Costly,
    Prepared,
    npy,
    post,
    request,
    table,
)
from service.serving.codecs import DECODERS

ROWS = 1_000_000
UPLOADED = (
    200_000  # rows of a file, whose largest would take minutes: what it costs grows with them, in another process
)
HEADERS = 60_000  # bytes, about: as many as a head may have
FORM = "multipart/form-data"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ARROW_FILE, ARROW = "application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream"
PARAMETERS = {
    "job_id": "JOB",
    "version": "1",
    "alias": "largest",
    "label": "largest",
    "plot": "data",
    "export": "onnx",
    "item": "0",
}
SPARE = "spare"  # the model that is deleted, unloaded or rolled back, so that the others stay
Make = Callable[[], bytes]


def _column(values: int = ROWS) -> pl.DataFrame:
    return pl.DataFrame({"x": np.arange(values, dtype=np.float32)})


def _two() -> pl.DataFrame:
    return _column(UPLOADED).with_columns(y=pl.col("x") * 2)


def _rows(name: bytes, row: bytes, before: bytes = b"{") -> bytes:
    return before + b'"%b":[' % name + b",".join([row] * ROWS) + b"]}"


def _arrow(frame: pl.DataFrame, *, file: bool) -> bytes:
    target = io.BytesIO()
    (frame.write_ipc if file else frame.write_ipc_stream)(target)
    return target.getvalue()


def _sheet() -> bytes:
    target = io.BytesIO()
    _two().write_excel(target)
    return target.getvalue()


def _uploaded_csv() -> bytes:
    return b"x,y\n" + b"1.5,2\n" * UPLOADED


def _form() -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    return head + _uploaded_csv() + b"\r\n--b--\r\n"


def _pictures() -> bytes:
    """As many pictures as make the process that checks them work for about as long as for the largest table."""
    picture, target = io.BytesIO(), io.BytesIO()
    Image.new("L", (64, 64)).save(picture, "PNG")
    with zipfile.ZipFile(target, "w") as archive:
        for at in range(UPLOADED // 10):
            archive.writestr(f"{at % 2}/{at}.png", picture.getvalue())
    return target.getvalue()


def _arrays() -> bytes:
    target = io.BytesIO()
    np.savez(target, x=np.zeros((UPLOADED, 2), np.float32), y=np.arange(UPLOADED) % 2)
    return target.getvalue()


def _tensor() -> bytes:
    tensor = b'"name":"x","shape":[%d,1],"datatype":"FP32",' % ROWS
    return b'{"inputs":[{' + tensor + b'"data":[' + b",".join([b"1.5"] * ROWS) + b"]}]}"


def _spec() -> bytes:
    records = [{"x": at + 0.5, "y": at} for at in range(500_000)]
    return json.dumps(SPEC | {"data": {"kind": "rows", "records": records, "target": "y"}}).encode()


def _any_document() -> bytes:
    """The largest JSON document, of any content."""
    return _rows(b"a", b'{"x":12}')


UPLOADS: dict[str, Make] = {
    CSV: _uploaded_csv,
    SHEET: _sheet,
    JSON: lambda: b"[" + b",".join([b'{"x":1.5,"y":2}'] * UPLOADED) + b"]",
    LINES: lambda: b'{"x":1.5,"y":2}\n' * UPLOADED,
    PARQUET: lambda: table(_two()),
    ARROW_FILE: lambda: _arrow(_two(), file=True),
    ARROW: lambda: _arrow(_two(), file=False),
    "application/octet-stream": lambda: table(_two()),
    FORM: _form,
    "application/zip": _pictures,
    "application/x-npz": _arrays,
    "application/x-npy": lambda: npy(np.zeros((UPLOADED, 2), np.float32)),
}
PREDICTIONS: dict[str, Make] = {
    JSON: lambda: _rows(b"instances", b'{"x":1.5}'),
    LINES: lambda: b"[1.5]\n" * ROWS,
    NPY: lambda: npy(np.zeros(ROWS, np.float32)),
    CSV: lambda: b"x\n" + b"1.5\n" * ROWS,
    PARQUET: lambda: table(_column()),
    ARROW_FILE: lambda: _arrow(_column(), file=True),
    ARROW: lambda: _arrow(_column(), file=False),
}
# Of routes with documents of their own.
DOCUMENTS: dict[str, Make] = {
    "/v1/training-jobs": _spec,
    "/v1/training-jobs/validate": _spec,
}
FILES: dict[str, Make] = {
    "application/zip": lambda: b"PK" + bytes(2**20),
    "application/offset+octet-stream": lambda: bytes(2**20),
}
SHAPES: dict[str, Make] = {
    ":predict": lambda: _rows(b"instances", b"[1.5]"),
    "/infer": _tensor,
    "/invocations": lambda: _rows(b"dataframe_records", b'{"x":1.5}'),
}


def largest(openapi: dict[str, Any]) -> Iterator[Costly]:
    """One for each route and format of the document, and some further large ones.

    Raises:
        KeyError: it has a format that none of those here is of.
    """
    wide = post(WIDE, npy(np.zeros(ROWS, np.float32)), NPY, "Request-Timeout: 1")
    yield Costly(0, "1,000,000 rows for a wide network in a second", lambda _: wide, legal=True)
    lists = _rows(b"instances", b"[true]")
    yield Costly(0, "1,000,000 rows that are none", lambda _: post("/v1/models/line/predictions", lists), legal=True)
    # Submitted jobs are trained, which uses the processor: they come last.
    paths = sorted(openapi["paths"].items(), key=lambda each: each[0] == "/v1/training-jobs")
    for path, item in paths:
        for method, operation in item.items():
            for kind, make in _bodies(path, operation):
                yield _request(method.upper(), path, operation, kind, make)


def _bodies(path: str, operation: dict[str, Any]) -> list[tuple[str, Make]]:
    kinds = list(operation.get("requestBody", {}).get("content", {}))
    if not kinds:
        return [("", bytes)]
    if path.endswith("/predictions"):
        return [(kind, PREDICTIONS[kind]) for kind in DECODERS]
    if FORM in kinds:
        return [(kind, UPLOADS[kind]) for kind in kinds]
    made = DOCUMENTS.get(path) or next((make for end, make in SHAPES.items() if path.endswith(end)), None)
    if not set(kinds) <= {JSON, *FILES}:
        raise KeyError(f"{path} takes {kinds}")
    return [(kind, FILES.get(kind, made or _any_document)) for kind in kinds]


def _request(method: str, path: str, operation: dict[str, Any], kind: str, make: Make) -> Costly:
    others = SPARE if method == "DELETE" or path.endswith(("load", "rollback", "cancel", "pause")) else "line"
    filled = re.sub(r"\{(\w+)[^}]*\}", lambda name: PARAMETERS.get(name[1], others), path)
    if "/datasets/" in path:
        filled = filled.replace("line", "largest")
    queries = {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] == "query"}
    if "limit" in queries:
        filled += f"?limit={queries['limit'].get('maximum', 1000)}"
    long = [f"X-Header-{at}: {'a' * (HEADERS // 90)}" for at in range(80)]
    declared = f"{kind}; boundary=b" if kind == FORM else kind

    def made(prepared: Prepared) -> bytes:
        own = filled.replace("/JOB", f"/{prepared.ended}", 1) if "{job_id}" in path else filled
        return request(method, own, make(), declared or JSON, *long)

    return Costly(0, f"{method} {path}{f', {kind}' if kind else ''}", made, legal=True)
