"""Bundles over HTTP: export and import, and every way in which one can be invalid."""

import hashlib
import io
import json
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.harness.server import Server
from tests.harness.until import until

ZIP = {"Content-Type": "application/zip"}
STATE_DICT = "files/state_dict.safetensors"
Members = dict[str, Any]


@pytest.fixture(scope="module")
def bundle(http: httpx.Client, line: dict[str, Any]) -> bytes:
    answer = http.get("/v1/models/line/versions/1/bundle")
    assert answer.headers["Content-Type"] == "application/zip"
    return answer.content


def opened(bundle: bytes) -> Members:
    """The manifest as a value, the other files as bytes."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        members: Members = {name: archive.read(name) for name in archive.namelist()}
    return members | {"manifest.json": json.loads(members["manifest.json"])}


def closed(members: Members) -> bytes:
    """A bundle with correct digests, whatever else is wrong with it."""
    manifest = members["manifest.json"]
    if isinstance(manifest, dict):
        files = {name.removeprefix("files/"): data for name, data in members.items() if name.startswith("files/")}
        described = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
        }
        manifest = {**manifest, "files": described}
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in {**members, "manifest.json": text.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def test_a_bundle_is_the_same_version_elsewhere(http: httpx.Client, bundle: bytes) -> None:
    digest = http.get("/v1/models/line/versions/1").json()["digest"]
    taken = http.post("/v1/models/shared/versions", content=bundle, headers=ZIP)
    assert (taken.status_code, taken.headers["Location"]) == (201, "/v1/models/shared/versions/1")
    assert (taken.json()["version"], taken.json()["digest"]) == (1, digest)
    again = http.post("/v1/models/shared/versions", content=bundle, headers=ZIP)
    assert (again.status_code, again.json()) == (200, taken.json())
    assert http.get("/v1/models/shared/versions/1/bundle").content == bundle
    answers = [http.get(f"/v1/models/{name}/versions/1/predictions?x=0.3").json() for name in ("line", "shared")]
    assert answers[0]["predictions"] == answers[1]["predictions"]


def test_a_repacked_bundle_is_accepted(http: httpx.Client, bundle: bytes) -> None:
    """Shows that the cases below fail for their content, not for how they are packed."""
    again = closed(opened(bundle))
    assert http.post("/v1/models/repacked/versions", content=again, headers=ZIP).status_code == 201


def tensors(members: Members, **changed: Any) -> None:
    kept = {**load(members[STATE_DICT]), **changed}
    members[STATE_DICT] = save({name: tensor for name, tensor in kept.items() if tensor is not None})


def put(*path: Any) -> Any:
    """A change of one value of the manifest."""
    *steps, last, value = path

    def change(members: Members) -> None:
        inside = members["manifest.json"]
        for step in steps:
            inside = inside[step]
        inside[last] = value

    return change


WRONG: dict[str, Any] = {
    "shape": lambda members: tensors(members, weight=np.zeros((2, 2), np.float32)),
    "no dimension": lambda members: tensors(members, weight=np.array(1, np.float32)),
    "whole numbers": lambda members: tensors(members, weight=np.zeros(1, np.int64)),
    "doubles": lambda members: tensors(members, weight=np.zeros(1, np.float64)),
    "halves": lambda members: tensors(members, bias=np.zeros(1, np.float16)),
    "one tensor too few": lambda members: tensors(members, bias=None),
    "one tensor too many": lambda members: tensors(members, extra=np.zeros(1, np.float32)),
    "half a preprocessing": lambda members: tensors(members, **{"preprocessing.fill": np.zeros(1, np.float32)}),
    "index out of reach": lambda members: tensors(
        members,
        **{"preprocessing.fill": np.zeros(1, np.float32), "preprocessing.indicated": np.array([9], np.int64)},
    ),
    "target scaling of two": lambda members: tensors(
        members, **{"target.mean": np.zeros(2, np.float32), "target.std": np.zeros(2, np.float32)}
    ),
    "no safetensors": lambda members: members.update({STATE_DICT: b"\x80\x04."}),
    "an endless header": lambda members: members.update({STATE_DICT: b"\xff" * 8}),
    "another kind of model": put("spec", "model", {"kind": "mlp", "hidden": [4]}),
    "a huge model": put("spec", "model", {"kind": "mlp", "hidden": [65_536] * 256}),
    "an unknown model": put("spec", "model", {"kind": "os.system"}),
    "no model": put("spec", "model", None),
    "importance of no input": put("importance", "inputs", 0, "input", "y"),
    "importance of an input twice": put("importance", "inputs", [{"input": "x", "mean": 1.0, "std": 0.0}] * 2),
    "importance of nothing": put("importance", "inputs", []),
    "importance in classes": put("importance", "measure", "log_loss"),
    "importance that leaves out what there is": put("importance", "left_out", 3),
    "a spread below 0": put("importance", "inputs", 0, "std", -1.0),
    "no importance, and its plot": lambda members: members["manifest.json"].pop("importance"),
    "no loss": put("spec", "loss", None),
    "an unknown field": put("spec", "also", 1),
    "spec is text": put("spec", "line"),
    "spec is null": put("spec", None),
    "signature is a list": put("signature", []),
    "no inputs": put("signature", "inputs", []),
    "inputs are text": put("signature", "inputs", "x"),
    "two inputs": put("signature", "inputs", [{"name": "x", "type": "number"}, {"name": "z", "type": "number"}]),
    "the same input twice": put("signature", "inputs", [{"name": "x", "type": "number"}] * 2),
    "no outputs": put("signature", "outputs", []),
    "a classification": put("signature", "task", "multiclass"),
    "an unknown task": put("signature", "task", "guessing"),
    "metrics are a number": put("metrics", 7),
    "environment is null": put("environment", None),
    "manifest is a list": lambda members: members.update({"manifest.json": []}),
    "manifest is null": lambda members: members.update({"manifest.json": None}),
    "manifest is empty": lambda members: members.update({"manifest.json": {}}),
    "points are none": lambda members: members.update({"files/points.json": b"[]"}),
    "points are NaN": lambda members: members.update({"files/points.json": b"NaN"}),
    "points of unequal length": lambda members: members.update(
        {"files/points.json": b'{"features":{"x":[1.0]},"part":[],"truth":[],"prediction":[]}'}
    ),
    "points of another width": lambda members: members.update(
        {"files/points.json": b'{"features":{"z":[1.0]},"part":["test"],"truth":[1],"prediction":[1.0]}'}
    ),
    "history is none": lambda members: members.update({"files/history.json": b'{"epoch": "all"}'}),
    "history of unequal length": lambda members: members.update(
        {"files/history.json": b'{"epoch":[1],"train_loss":[]}'}
    ),
    "history without epochs": lambda members: members.update({"files/history.json": b"{}"}),
    "no history": lambda members: members.pop("files/history.json"),
    "history with a name twice": lambda members: members.update(
        {"files/history.json": b'{"epoch":[1],"train_loss":[2.0],"train_loss":[1.0]}'}
    ),
    "weights are NaN": lambda members: tensors(members, weight=np.array([np.nan], np.float32)),
    "weights are infinite": lambda members: tensors(members, weight=np.array([np.inf], np.float32)),
    "a number of 71 bits": put("data", "rows", 2**70),
    "a number of 71 bits that nobody reads": put("also", 2**70),
    "nested 300 deep": put("also", json.loads("[" * 300 + "]" * 300)),
    "a million lists": put("also", [[]] * 1_100_000),
    "a name without a letter": put("signature", "inputs", [{"name": "", "type": "number"}]),
    "a name that is too long": put("signature", "inputs", [{"name": "x" * 257, "type": "number"}]),
    "two outputs of one name": put("signature", "outputs", [{"name": "y", "type": "number"}] * 2),
    "metrics in metrics": put("metrics", {"test": {"mae": {"of": {"what": 1}}}}),
    "an environment without end": put("environment", {str(i): i for i in range(101)}),
    "another file": lambda members: members.update({"files/run.py": b"import os"}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_invalid_bundle_is_refused(server: Server, http: httpx.Client, bundle: bytes, wrong: str) -> None:
    members = opened(bundle)
    WRONG[wrong](members)
    refused(server, http, closed(members))


@pytest.mark.parametrize("cut", [0, 1, 30, 500, -1])
def test_a_truncated_bundle_is_refused(server: Server, http: httpx.Client, bundle: bytes, cut: int) -> None:
    refused(server, http, bundle[:cut])


def test_a_bundle_with_a_flipped_byte_is_refused(server: Server, http: httpx.Client, bundle: bytes) -> None:
    place = bundle.index(b"train_loss")
    refused(server, http, bundle[:place] + b"X" + bundle[place + 1 :])


def refused(server: Server, http: httpx.Client, content: bytes) -> None:
    answer = http.post("/v1/models/refused/versions", content=content, headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_bundle"), answer.text
    assert str(server.home) not in answer.text
    assert http.get("/v1/models/refused").status_code == 404
    until(lambda: server.temporary_files() == [])  # a job that has just ended may still have its folder


def test_another_type(http: httpx.Client, bundle: bytes) -> None:
    answer = http.post("/v1/models/refused/versions", content=bundle, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
