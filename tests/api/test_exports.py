"""Exports: files that load without this software, written by a child process on the first request and cached."""

import asyncio
import io
import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import psutil
import pytest
import torch
from safetensors.torch import load

from model_store import Store
from service.use_cases.artifacts import Artifact, Artifacts
from tests.api.test_damage import flip, tensors
from tests.harness.server import Server
from tests.harness.until import until

CHILD = "service.workflow.exports.child"


class Line(torch.nn.Module):
    """The tutorial's linear regression in plain PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(1))
        self.bias = torch.nn.Parameter(torch.empty(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x + self.bias


def address(model: str, export: str = "state_dict") -> str:
    return f"/v1/models/{model}/versions/1/exports/{export}"


def children(server: Server) -> list[psutil.Process]:
    """The processes of the server that write exports."""
    found = []
    for each in psutil.Process(server.process.pid).children():
        try:
            if CHILD in each.cmdline():
                found.append(each)
        except psutil.Error:
            continue
    return found


def test_the_state_dict_loads_into_plain_torch(http: httpx.Client, line: dict[str, Any]) -> None:
    answer = http.get(address("line"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert 'filename="line-1.pt"' in answer.headers["Content-Disposition"]
    exported = torch.load(io.BytesIO(answer.content), weights_only=True)
    stored = load(http.get(address("line", "safetensors")).content)
    assert type(exported) is dict and exported.keys() == stored.keys()
    assert all(torch.equal(exported[name], stored[name]) for name in stored)
    assert all(each.untyped_storage().nbytes() == each.nbytes for each in exported.values())
    network = Line()
    network.load_state_dict(exported)
    expected = http.post("/v1/models/line/predictions", json={"instances": [[0.5]]}).json()["predictions"]
    assert network(torch.tensor([0.5])).item() == pytest.approx(expected[0])


def test_a_kept_export_is_served_in_ranges(http: httpx.Client, server: Server, line: dict[str, Any]) -> None:
    whole = http.get(address("line"))
    again = http.get(address("line"), headers={"Range": "bytes=10-19", "If-Range": whole.headers["ETag"]})
    assert (again.status_code, again.content) == (206, whole.content[10:20])
    digest = http.get("/v1/models/line/versions/1").json()["digest"]
    (path,) = (server.home / "cache/exports").glob(f"{digest}-state_dict-*.pt")
    assert path.read_bytes() == whole.content
    path.write_bytes(whole.content[:100])  # a damaged cached file is written again
    assert http.get(address("line")).content == whole.content


def test_the_folder_for_hugging_face_predicts_as_the_service(
    http: httpx.Client, line: dict[str, Any], tmp_path: Path
) -> None:
    answer = http.get(address("line", "huggingface"))
    assert answer.headers["Content-Type"] == "application/zip"
    assert 'filename="line-1.huggingface.zip"' in answer.headers["Content-Disposition"]
    with ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == http.get(address("line", "safetensors")).content
    assert http.get("/v1/models/line/versions/1").json()["digest"] in (tmp_path / "README.md").read_text()
    expected = http.post("/v1/models/line/predictions", json={"instances": [[0.5]]}).json()["predictions"]
    model = runpy.run_path(str(tmp_path / "modeling.py"))["load"]()
    assert model.predict([{"x": 0.5}]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="trained without missing values"):
        model.predict([{"x": None}])


@pytest.mark.parametrize("export", ["pickle", "state_dict.pt"])
def test_an_unknown_export_is_refused_with_the_known_ones(
    http: httpx.Client, line: dict[str, Any], export: str
) -> None:
    answer = http.get(address("line", export))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")
    assert "safetensors, state_dict, torch_export, onnx, huggingface" in answer.json()["detail"]


def test_a_damaged_version_is_not_exported(http: httpx.Client, server: Server, model: str) -> None:
    flip(tensors(server, model)[0])
    for export in ("state_dict", "safetensors"):
        answer = http.get(address(model, export))
        assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")
    flip(tensors(server, model)[0])


def test_one_child_writes_an_export_and_none_is_left_half_written(
    http: httpx.Client, server: Server, model: str
) -> None:
    digest = http.get(f"/v1/models/{model}/versions/1").json()["digest"]
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(http.get, address(model))
        until(lambda: children(server))[0].kill()
        answer = first.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert not list((server.home / "cache/exports").glob(f"{digest}-*"))
        assert server.temporary_files() == []

        requests = [threads.submit(http.get, address(model)) for _ in range(4)]
        seen: set[int] = set()
        while not all(each.done() for each in requests):
            seen |= {each.pid for each in children(server)}
        assert len(seen) == 1
        assert len({each.result().raise_for_status().content for each in requests}) == 1
    assert len(list((server.home / "cache/exports").glob(f"{digest}-*"))) == 1
    http.delete(f"/v1/models/{model}").raise_for_status()
    assert not list((server.home / "cache/exports").glob(f"{digest}-*"))


def test_the_kept_bytes_are_bounded(server: Server, line: dict[str, Any], tmp_path: Path) -> None:
    store = Store.open(server.home / "store")
    version = store.models.get("line", 1)

    async def make(folder: Path) -> None:
        (folder / "artifact.bin").write_bytes(bytes(400))

    async def kept_after(*names: str) -> set[str]:
        artifacts = Artifacts(tmp_path / "kept", tmp_path / "tmp", most_bytes=1000)
        for name in names:
            await artifacts.get(store, Artifact(version, name, (".bin",)), ".bin", make)
        return {path.name.split("-")[1] for path in (tmp_path / "kept").iterdir()}

    assert asyncio.run(kept_after("first", "second", "first", "third")) == {"first", "third"}
    assert asyncio.run(kept_after("third", "fourth")) == {"third", "fourth"}
