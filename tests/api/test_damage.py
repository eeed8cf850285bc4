"""A flipped bit on the disk, a forward that raises or takes too long, predictions that are not finite: which requests are
affected, and which are not."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars
import pytest
from safetensors.torch import load_file, save_file

from model_store import Store
from service.serving.codecs import ENCODERS
from tests.api.conftest import train
from tests.harness.server import Server
from tests.model_store.content import content

ROWS = {"instances": [[0.5]]}
KIND = '''
import time
from typing import ClassVar, Literal

import torch
from torch import nn

from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.tasks import Task


class FailingSpec(ModelKind):
    """Raises for negative values, and is slow for values above ten."""

    tasks: ClassVar = frozenset({Task.REGRESSION})
    heads: ClassVar = False

    kind: Literal["failing"] = "failing"

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        return Failing(inputs.features, outputs)


class Failing(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if (x < 0).any():
            raise RuntimeError("negative")
        if (x > 10).any():
            time.sleep(3)
        return super().forward(x)
'''


def tensors(server: Server, model: str) -> list[Path]:
    """The weight files of its versions, the oldest first. Versions with the same weights share them, of other models, too."""
    models = Store.open(server.home / "store").models
    files = [models.get(model, number).file("state_dict.safetensors") for number in models.numbers(model)]
    return [server.home / "store/blobs" / file["sha256"] for file in files]


def flip(path: Path) -> None:
    """Flips the last bit, which belongs to a number: the file remains valid safetensors."""
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(body)


def test_a_flipped_bit_affects_only_its_version(tmp_path: Path) -> None:
    """The running service keeps serving version 1 and reports version 2 as damaged. After a restart the newest is
    refused and the others are served."""
    with Server(tmp_path / "home") as server, server.http_client() as http:
        path = "/v1/models/line"
        for seed in range(2):
            train(http, "line", training={"epochs": 0, "seed": seed})
        train(http, "other", training={"epochs": 0})
        http.put(f"{path}/aliases/production", json={"version": 1})
        assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"
        flip(tensors(server, "line")[1])
        http.put(f"{path}/aliases/production", json={"version": 2})
        for _ in range(3):
            answer = http.post(f"{path}/predictions", json=ROWS)
            assert (answer.status_code, answer.headers["Model-Version"]) == (200, "1")
        answer = http.post(f"{path}/versions/2/predictions", json=ROWS)
        assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")
    with Server(tmp_path / "home") as server, server.http_client() as http:
        for reference in ("versions/2/", "versions/latest/", ""):
            answer = http.post(f"{path}/{reference}predictions", json=ROWS)
            assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")
        assert http.post(f"{path}/versions/1/predictions", json=ROWS).status_code == 200
        assert http.post("/v1/models/other/predictions", json=ROWS).status_code == 200
        http.put(f"{path}/aliases/production", json={"version": 1})
        assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with a kind of model that can fail, computed in a thread, and a line beside it."""
    home = tmp_path_factory.mktemp("failing") / "home"
    site = home.with_name("site")
    about = site / "failing-1.0.0.dist-info"
    about.mkdir(parents=True)
    (site / "failing.py").write_text(KIND)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: failing\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text("[modelwright.models]\nmoody = failing:FailingSpec\n")
    paths = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    failing = Server(home, environment={"PYTHONPATH": paths}, light_predictions=30_000, prediction_threads=1)
    with failing as server, server.http_client() as http:
        train(http, "failing", model={"kind": "failing"}, optimizer={"name": "SGD"}, training={"epochs": 0})
        train(http, "line", training={"epochs": 0})
        yield http
    shutil.rmtree(home, ignore_errors=True)


def test_a_raising_forward_fails_only_its_own_request(failing: httpx.Client) -> None:
    for body in ({"instances": [[-1.0]]}, {"instances": [[-1.0]] * 50}):  # in the event loop, and in a thread
        answer = failing.post("/v1/models/failing/predictions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (500, "prediction_failed")
        assert failing.post("/v1/models/failing/predictions", json=ROWS).status_code == 200
        assert failing.post("/v1/models/line/predictions", json=ROWS).status_code == 200


def test_a_forward_beyond_its_deadline_fails_only_its_own_request(failing: httpx.Client) -> None:
    began = time.perf_counter()
    answer = failing.post(
        "/v1/models/failing/predictions", json={"instances": [[11.0]] * 50}, headers={"Request-Timeout": "0.1"}
    )
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert time.perf_counter() - began < 2.9  # before the forward has ended
    assert failing.post("/v1/models/line/predictions", json=ROWS).status_code == 200
    assert failing.post("/v1/models/failing/predictions", json={"instances": [[1.0]] * 50}).status_code == 200


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("form", [*ENCODERS, "stream"])
def test_nan_and_infinity_in_answers(server: Server, http: httpx.Client, form: str, value: float) -> None:
    """null in JSON, an empty field in CSV, NaN in NPY."""
    path = f"/v1/models/{without_number(server, http, value)}/predictions"
    if form == "stream":
        answer = http.post(path, content=b"[1]\n[2]\n", headers={"Content-Type": "application/x-ndjson"})
    else:
        answer = http.post(path, json={"instances": [1, 2]}, headers={"Accept": form})
    assert answer.status_code == 200, answer.text
    body = io.BytesIO(answer.content)
    match answer.headers["Content-Type"]:
        case "application/json":
            assert answer.json()["predictions"] == [None, None]
        case "application/x-ndjson":
            assert answer.text == "null\nnull\n"
        case "text/csv":
            assert answer.text.splitlines()[0] == "y" and polars.read_csv(
                body, schema={"y": polars.Float64}
            ).rows() == [
                (None,),
                (None,),
            ]
        case "application/x-npy":
            assert np.isnan(np.load(body, allow_pickle=False)).all()
        case "application/vnd.apache.parquet":
            assert polars.read_parquet(body)["y"].to_list() == [None, None]
        case "application/vnd.apache.arrow.stream":
            assert polars.read_ipc_stream(body)["y"].to_list() == [None, None]
        case "application/vnd.apache.arrow.file":
            assert polars.read_ipc(body)["y"].to_list() == [None, None]
        case other:
            raise AssertionError(other)


def without_number(server: Server, http: httpx.Client, value: float) -> str:
    """The name of a line whose bias is not finite, as a diverged training would leave it."""
    name = f"astray-{value}"
    if http.get(f"/v1/models/{name}").status_code == 404:
        train(http, name, training={"epochs": 0})
        models = Store.open(server.home / "store").models
        version, files = models.get(name, 1), {}
        for file in version.manifest["files"]:
            files[file] = server.home / "tmp" / f"{name}-{file}"
            files[file].write_bytes(content(models, version, file))
        weights: dict[str, Any] = load_file(files["state_dict.safetensors"])
        weights["bias"] = weights["bias"] * 0 + value
        save_file(weights, files["state_dict.safetensors"])
        models.publish(name, {key: each for key, each in version.manifest.items() if key != "files"}, files)
    return f"{name}/versions/2"
