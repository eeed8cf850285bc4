"""Small requests that are expensive, and the largest legal ones: the table of `benchmarks/run edge`. Each represents a kind
of fault, and is built from its line here."""

import gzip
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import polars as pl
from safetensors.numpy import load, save

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 2**20
JSON, LINES, NPY, CSV, PARQUET = (
    "application/json",
    "application/x-ndjson",
    "application/x-npy",
    "text/csv",
    "application/vnd.apache.parquet",
)
LINE, WIDE, BROAD, VALIDATE = (
    "/v1/models/line/predictions",
    "/v1/models/wide/predictions",
    "/v1/models/broad/predictions",
    "/v1/training-jobs/validate",
)
FORM = "multipart/form-data; boundary=b"
DATA: dict[str, Any] = {"kind": "line", "weight": 0.4, "bias": 0.6, "start": 0, "end": 1, "step": 0.02}
SPEC: dict[str, Any] = {"model_name": "costly", "data": DATA, "model": {"kind": "linear_regression"}}
PADDED: dict[str, Any] = {
    "kind": "layers",
    "layers": [
        {"name": "ConstantPad1d", "padding": [0, 200_000_000], "value": 0},
        {"name": "AdaptiveAvgPool1d", "output_size": 1},
    ],
}


@dataclass(frozen=True)
class Costly:
    """One request: its row in the table of faults, its name, and how its bytes are made. `legal` if the service may answer it
    with success, however long that takes."""

    row: int
    name: str
    make: Callable[["Prepared"], bytes]
    legal: bool = False


@dataclass(frozen=True)
class Prepared:
    """The state of the service before: the models `line`, `wide` and `broad`, and jobs with large specs."""

    bundle: bytes  # of `line`
    job: str  # one that waits
    ended: str  # one that has ended


def request(method: str, path: str, body: bytes = b"", kind: str = JSON, *headers: str) -> bytes:
    """The bytes of a request that closes its connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if method != "GET":
        lines += [f"Content-Type: {kind}"]
        if not any(each.startswith("Transfer-Encoding") for each in headers):
            lines += [f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post(path: str, body: bytes, kind: str = JSON, *headers: str) -> bytes:
    """A POST."""
    return request("POST", path, body, kind, *headers)


def upload(body: bytes, kind: str, *headers: str) -> bytes:
    """A data set."""
    return request("PUT", "/v1/datasets/costly", body, kind, *headers)


def validate(**spec: Any) -> bytes:
    """A spec to check."""
    return post(VALIDATE, json.dumps(SPEC | spec).encode())


def npy(array: "np.ndarray[Any, Any]") -> bytes:
    """An array as a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def table(frame: pl.DataFrame) -> bytes:
    """A table as Parquet."""
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file, deflated."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def chunked(piece: bytes, times: int) -> bytes:
    """A body in so many chunks."""
    return (b"%x\r\n%b\r\n" % (len(piece), piece)) * times + b"0\r\n\r\n"


def prepare(http: httpx.Client) -> Prepared:
    """Creates this state."""
    wide = {"kind": "mlp", "hidden": [4096]}
    names = [f"a column of some length, number {at}" for at in range(300)]
    records = [dict.fromkeys(names, float(at % 7)) | {"y": float(at)} for at in range(50)]
    broad = {"kind": "rows", "records": records, "target": "y"}
    specs: list[dict[str, Any]] = [
        {"model_name": "line"},
        {"model_name": "wide", "model": wide},
        {"model_name": "broad", "data": broad},
    ]
    for spec in specs:
        trained = http.post("/v1/training-jobs", json=SPEC | {"training": {"epochs": 1}} | spec).json()["id"]
        while http.get(f"/v1/training-jobs/{trained}?wait=30").json()["status"] in ("queued", "running"):
            pass
    bundle = http.get("/v1/models/line/versions/1/bundle").content
    padded = [PADDED["layers"][0] | {"padding": [0, 1]}, PADDED["layers"][1], {"name": "Linear"}]
    small = SPEC | {
        "model": PADDED | {"layers": padded}
    }  # what torch loads once for such layers is no cost of a request
    http.post(VALIDATE, json=small).raise_for_status()
    large = {"kind": "rows", "records": [{"x": at, "y": at / 7, "t": "t" * 30_000} for at in range(100)], "target": "y"}
    large_spec = SPEC | {"data": large, "training": {"epochs": 10_000_000}}
    jobs = [http.post("/v1/training-jobs", json=large_spec).json()["id"] for _ in range(40)]
    for job in reversed(jobs):  # they wait, and use no processor; the running one is paused last
        http.post(f"/v1/training-jobs/{job}/pause")
    return Prepared(bundle, jobs[-1], trained)


def bundled(prepared: Prepared, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The bundle of `line` with another manifest and no parameters of a network; its digests are right."""
    with zipfile.ZipFile(io.BytesIO(prepared.bundle)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest, tensors = json.loads(files.pop("manifest.json")), "files/state_dict.safetensors"
    kept = {name: each for name, each in load(files[tensors]).items() if name not in ("weight", "bias")}
    files[tensors] = save(kept)
    manifest["files"] = {
        name.removeprefix("files/"): {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    }
    change(manifest)
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return post("/v1/models/taken/versions", zipped({"manifest.json": text} | files), "application/zip")


def nested(levels: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def form(content: bytes) -> bytes:
    """A form that is uploaded."""
    return upload(content, FORM)


ZEROS = bytes(64 * MIB)
EMPTY_BLOCKS = b"\x78\x9c" + b"\0\0\0\xff\xff" * 400_000
TEXTS = pl.DataFrame({"x": ["t" * MIB] * 1000})
TWICE = ("Content-Encoding: zstd",)
UNKNOWN = "&".join(f"unknown-column-{at}=1" for at in range(1000))
COLUMNS = json.dumps({"inputs": {f"unknown-column-{at}": [1] for at in range(1000)}}).encode()
WRONG = json.dumps({"instances": [{"x": "wrong"}] * 100_000}).encode()
TARGETS = [f"t{at}" for at in range(40_000)]

REQUESTS = [
    Costly(1, "GET with 1,000 unknown names", lambda _: request("GET", f"{BROAD}?{UNKNOWN}")),
    Costly(1, "1,000 unknown columns", lambda _: post(BROAD, COLUMNS)),
    Costly(1, "100,000 wrong rows", lambda _: post(LINE, WRONG)),
    Costly(
        1,
        "100,000 wrong records in a spec",
        lambda _: validate(data={"kind": "rows", "records": [{"x": []}] * 100_000, "target": "y"}),
    ),
    Costly(1, "1,000 unknown fields in a spec", lambda _: validate(**{f"unknown{at}": 1 for at in range(1000)})),
    Costly(2, "64 MiB of zeros as zstd", lambda _: post(LINE, zstd.compress(ZEROS), NPY, *TWICE)),
    Costly(
        2,
        "64 MiB of zeros as gzip, to a spec",
        lambda _: post(VALIDATE, gzip.compress(ZEROS), JSON, "Content-Encoding: gzip"),
    ),
    Costly(2, "64 MiB of zeros as zstd, uploaded", lambda _: upload(zstd.compress(ZEROS), CSV, *TWICE)),
    Costly(2, "64 MiB of zeros as zstd, streamed", lambda _: post(LINE, zstd.compress(ZEROS), LINES, *TWICE)),
    Costly(2, "52,000 empty frames", lambda _: post(LINE, zstd.compress(b"") * 52_000, JSON, *TWICE)),
    Costly(
        2, "100,000 empty members", lambda _: post(LINE, gzip.compress(b"") * 100_000, LINES, "Content-Encoding: gzip")
    ),
    Costly(2, "400,000 empty blocks", lambda _: post(VALIDATE, EMPTY_BLOCKS, JSON, "Content-Encoding: deflate")),
    Costly(
        3, "50,000 rows for a wide network", lambda _: post(WIDE, npy(np.zeros(50_000, np.float32)), NPY), legal=True
    ),
    Costly(3, "a spec that pads to 800 MB", lambda _: validate(model=PADDED)),
    Costly(
        3,
        "a bundle that pads to 800 MB",
        lambda made: bundled(made, lambda manifest: manifest["spec"].update(model=PADDED)),
    ),
    Costly(4, "one text 1,000 times, as Parquet", lambda _: post(LINE, table(TEXTS), PARQUET)),
    Costly(4, "one text 1,000 times, as Parquet, uploaded", lambda _: upload(table(TEXTS), PARQUET)),
    Costly(
        4, "300 MB of CSV as gzip, uploaded", lambda _: upload(gzip.compress(b"x,y\n" + b"1,2\n" * 75_000_000, 1), CSV)
    ),
    Costly(
        4,
        "missing values in 1,000,000 rows of 1,000 columns",
        lambda _: post(
            LINE,
            table(
                pl.DataFrame(
                    {f"c{at}": pl.Series([None], dtype=pl.Float32).new_from_index(0, 1_000_000) for at in range(1000)}
                )
            ),
            PARQUET,
        ),
    ),
    Costly(5, "1 MiB of empty lines", lambda _: post(LINE, b"\n" * MIB, LINES)),
    Costly(
        5,
        "1 MiB of empty lines after a row",
        lambda _: post(LINE, b"[1]" + b"\n" * MIB, LINES, "Accept: application/json"),
    ),
    Costly(5, "64 MiB of empty lines as CSV", lambda _: post(LINE, b"x\n" + b"\n" * (63 * MIB), CSV)),
    Costly(5, "250 KiB of comments as CSV", lambda _: post(LINE, b"#\n" * (125 * 1024), CSV)),
    Costly(5, "16 MiB of space in JSON", lambda _: post(LINE, b" " * (15 * MIB) + b'{"instances": [[1]]}', JSON)),
    Costly(
        5,
        "200,000 chunks of one byte",
        lambda _: post(LINE, chunked(b" ", 200_000), JSON, "Transfer-Encoding: chunked"),
    ),
    Costly(5, "a line of 8 MiB", lambda _: post(LINE, b"[" + b"1" * (8 * MIB), LINES)),
    Costly(5, "a form with 1,000,000 empty parts", lambda _: form(b"--b\r\n\r\n" * 1_000_000)),
    Costly(5, "a form with 8 MiB before it", lambda _: form(b"\r\n" * (4 * MIB) + b"--b--\r\n")),
    Costly(
        5,
        "an event id of 60,000 digits",
        lambda made: request(
            "GET", f"/v1/training-jobs/{made.ended}/events", b"", JSON, "Last-Event-ID: " + "9" * 60_000
        ),
    ),
    Costly(
        5,
        "2,000 lists in a document that are none",
        lambda _: post("/v1/models/line:predict", b'{"a":1,' + b'"instances":[' * 100_000, JSON),
    ),
    Costly(6, "40,000 targets", lambda _: validate(data={"kind": "rows", "records": [{"x": 1}], "target": TARGETS})),
    Costly(
        6,
        "500 layers",
        lambda _: validate(model={"kind": "layers", "layers": [{"name": "Linear", "out_features": 8}] * 500}),
    ),
    Costly(
        7, "a manifest of 300 levels", lambda made: bundled(made, lambda manifest: manifest.update(data=nested(300)))
    ),
    Costly(
        7,
        "64 MiB of JSON in a bundle",
        lambda _: post(
            "/v1/models/taken/versions",
            zipped({"manifest.json": b'{"a":[' + b"[]," * (20 * MIB) + b"1]}"}),
            "application/zip",
        ),
    ),
    Costly(8, "a page of jobs with large specs", lambda _: request("GET", "/v1/training-jobs?limit=100"), legal=True),
    Costly(9, "a wait for a job", lambda made: request("GET", f"/v1/training-jobs/{made.job}?wait=3"), legal=True),
    Costly(
        10,
        "columns with names of 100,000 characters",
        lambda _: validate(data={"kind": "rows", "records": [{"x" * 100_000: 1, "y": 2}] * 5, "target": "y"}),
    ),
    Costly(
        11,
        "layers that cannot be",
        lambda _: validate(model={"kind": "layers", "layers": [{"name": "PixelUnshuffle", "downscale_factor": 0}]}),
    ),
]
