"""Small requests that ask for much work: refused or answered with little processor time and memory. The sizes that a model
would produce are computed before it runs."""

import gzip
import io
import threading
import zlib
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from service.api import content_coding
from tests.api.conftest import train
from tests.api.test_bundles import ZIP, bundle, closed, opened, tensors
from tests.harness.server import Server
from tests.memory import growth_of

__all__ = ["bundle"]  # a fixture
zstd: Any = vars(content_coding)["zstd"]
MIB = 2**20
PATH = "/v1/models/line/predictions"
VALIDATE = "/v1/training-jobs/validate"
ZEROS = bytes(64 * MIB)
LINES, NPY = "application/x-ndjson", "application/x-npy"
FORM = "multipart/form-data; boundary=b"
PADDED: dict[str, Any] = {
    "kind": "layers",
    "layers": [
        {"name": "ConstantPad1d", "padding": [0, 500_000_000], "value": 0},
        {"name": "AdaptiveAvgPool1d", "output_size": 1},
    ],
}

REFUSED: dict[str, tuple[int, str, bytes, dict[str, str]]] = {
    "zeros": (413, PATH, zstd.compress(ZEROS), {"Content-Type": NPY, "Content-Encoding": "zstd"}),
    "zeros, streamed": (422, PATH, zstd.compress(ZEROS), {"Content-Type": LINES, "Content-Encoding": "zstd"}),
    "zeros as a spec": (413, VALIDATE, gzip.compress(ZEROS), {"Content-Encoding": "gzip"}),
    "zeros as a data set": (413, "/v1/datasets/zeros", zstd.compress(ZEROS), {"Content-Encoding": "zstd"}),
    "empty frames": (400, PATH, zstd.compress(b"") * 52_000, {"Content-Encoding": "zstd"}),
    "empty members": (400, VALIDATE, gzip.compress(b"") * 52_000, {"Content-Encoding": "gzip"}),
    "cut short": (400, "/v1/datasets/cut", zlib.compress(b"x\n1\n" * 99)[:-1], {"Content-Encoding": "deflate"}),
    "another coding": (415, PATH, b"1", {"Content-Encoding": "br"}),
    "empty lines": (422, PATH, b"\n" * MIB, {"Content-Type": LINES}),
    "empty lines between rows": (422, PATH, b"[1]" + b"\n" * MIB + b"[1]", {"Content-Type": LINES, "Accept": NPY}),
    "empty lines of CSV": (422, PATH, b"x\n" + b"\n" * (4 * MIB), {"Content-Type": "text/csv"}),
    "empty cells of CSV": (422, PATH, b"x\n" + b"," * (40 * MIB), {"Content-Type": "text/csv"}),
    "comments": (422, PATH, b"#\n" * 100_000, {"Content-Type": "text/csv"}),
    "a quoted name": (422, PATH, b'"\n' * 3 + b"\n" * 200_000, {"Content-Type": "text/csv"}),
    "a form with much before it": (413, "/v1/datasets/form", b"\r\n" * (2 * MIB), {"Content-Type": FORM}),
    "a form of empty parts": (400, "/v1/datasets/form", b"--b\r\n\r\n" * 300_000, {"Content-Type": FORM}),
    "lists that are none": (400, "/v1/models/line:predict", b'{"a":1,' + b'"instances":[' * 300_000, {}),
    "a spec": (422, VALIDATE, b"", {}),
}


def cost(
    server: Server, http: httpx.Client, path: str, content: bytes, **headers: str
) -> tuple[httpx.Response, float, int]:
    """The response, and at most how many processor seconds and bytes of memory it took."""
    process = psutil.Process(server.process.pid)
    began = sum(process.cpu_times()[:2])
    with growth_of(process) as growth:
        answer = http.post(path, content=content, headers={"Content-Type": "application/json"} | headers)
    return answer, sum(process.cpu_times()[:2]) - began, growth.bytes


@pytest.mark.parametrize("name", REFUSED)
def test_costly_specs_are_refused_with_little_cpu_and_memory(
    server: Server, http: httpx.Client, line: dict[str, Any], name: str
) -> None:
    status, path, content, headers = REFUSED[name]
    if name == "a spec":
        spec = {"model_name": "m", "data": line["spec"]["data"], "model": PADDED}
        content = httpx.Request("POST", "http://a", json=spec).content
        layers = [{**PADDED["layers"][0], "padding": [0, 1]}, PADDED["layers"][1], {"name": "Linear"}]
        small = {**PADDED, "layers": layers}
        # What torch loads once for such layers does not count.
        http.post(path, json={**spec, "model": small}).raise_for_status()
    answer, seconds, size = cost(server, http, path, content, **headers)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) in (
        (status, "application/problem+json"),
        (status, "application/json"),
    ), answer.text
    assert seconds < 0.5
    assert size < 64 * MIB + 2 * len(content)


def test_a_bundle_that_expands_each_row_is_refused_before_it_is_loaded(
    server: Server, http: httpx.Client, bundle: bytes
) -> None:
    members = opened(bundle)
    members["manifest.json"]["spec"]["model"] = PADDED
    tensors(members, weight=None, bias=None)
    answer, seconds, size = cost(server, http, "/v1/models/padded/versions", closed(members), **ZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_bundle")
    assert "of one row take 20000" in answer.json()["detail"]
    assert seconds < 0.5 and size < 64 * MIB
    small = PADDED | {"layers": [PADDED["layers"][0] | {"padding": [0, 5]}, PADDED["layers"][1]]}
    members["manifest.json"]["spec"]["model"] = small
    assert http.post("/v1/models/padded/versions", content=closed(members), headers=ZIP).status_code == 201


def test_many_rows_for_a_wide_network(server: Server, http: httpx.Client) -> None:
    train(http, "wide-network", model={"kind": "mlp", "hidden": [4096]}, training={"epochs": 0})
    file = io.BytesIO()
    np.save(file, np.linspace(0, 1, 50_000, dtype=np.float32))
    path = "/v1/models/wide-network/predictions"
    answer, _, size = cost(server, http, path, file.getvalue(), **{"Content-Type": NPY})
    assert answer.status_code == 200 and size < 128 * MIB
    found = answer.json()["predictions"]
    few = http.post(path, json={"instances": [0, 1]}).json()["predictions"]
    assert len(found) == 50_000 and np.allclose([found[0], found[-1]], few, rtol=0, atol=1e-5)


def test_parallel_compressed_bodies_have_bounded_memory(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).integers(0, 2, 700_000).astype(np.float32))
    content, seen = gzip.compress(file.getvalue(), 1), list[int]()
    headers = {"Content-Type": NPY, "Content-Encoding": "gzip", "Accept": NPY}

    def send() -> None:
        with server.http_client() as client:
            answer = client.post(PATH, content=content, headers=headers)
            assert answer.status_code == 200 or answer.headers["Retry-After"]
            seen.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(24)]
    with growth_of(psutil.Process(server.process.pid)) as growth:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert set(seen) <= {200, 429} and 200 in seen
    assert growth.bytes < 512 * MIB
    assert http.post(PATH, content=content, headers=headers).status_code == 200
    taken = [
        line for line in http.get("/metrics").text.splitlines() if line.startswith("modelwright_request_memory_bytes ")
    ]
    assert [float(line.split()[1]) for line in taken] == [0]
