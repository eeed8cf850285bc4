"""Real tables over HTTP: every format, the default network, predictions from raw rows, training from a version, and an
operator's own kind of model."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from modelwright import ApiError
from tests.harness.server import ROOT, Server
from tests.workflow.learning import houses

HOUSES = houses(200)


def encoded(media_type: str) -> bytes:
    frame = pl.DataFrame(HOUSES).with_columns(pl.col("sold").str.to_date())
    target = io.BytesIO()
    match media_type:
        case "text/csv":
            return frame.write_csv().encode()
        case "application/x-ndjson":
            return "".join(json.dumps(each) + "\n" for each in HOUSES).encode()
        case "application/vnd.apache.parquet":
            frame.write_parquet(target)
        case "application/vnd.apache.arrow.file":
            frame.write_ipc(target)
        case _:
            frame.write_ipc_stream(target)
    return target.getvalue()


MEDIA_TYPES = (
    "text/csv",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.arrow.stream",
)


def spec(name: str, dataset: str, target: Any, **more: Any) -> dict[str, Any]:
    return {"model_name": name, "data": {"kind": "dataset", "dataset": dataset, "target": target}} | more


# The others are read into the same columns: tests/workflow/test_formats.py.
LEARNED = ("text/csv", "application/vnd.apache.parquet")
EACH = [pytest.param(each, marks=() if each in LEARNED else pytest.mark.nightly) for each in MEDIA_TYPES]


@pytest.mark.parametrize("media_type", EACH)
def test_a_table_in_every_format_is_learned_and_predicted(server: Server, media_type: str) -> None:
    name = f"houses-{MEDIA_TYPES.index(media_type)}"
    put = server.http.put(f"/v1/datasets/{name}", content=encoded(media_type), headers={"Content-Type": media_type})
    assert (put.status_code, put.json()["rows"]) == (201, 200)
    job = server.client.wait(server.client.train(spec(name, name, "price", training={"epochs": 30}))["id"])
    metrics = server.client.manifest(name, 1)["metrics"]
    assert metrics["test"]["r2"] > 0.8 > metrics["baseline"]["r2"]
    assert job["spec"]["model"]["kind"] == "tabm"
    row = {column: value for column, value in HOUSES[3].items() if column != "price"}
    answer = server.http.post(
        f"/v1/models/{name}/predictions", json={"instances": [row, row | {"colour": "mauve", "age": None}]}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Unknown-Categories"] == "1"
    assert abs(answer.json()["predictions"][0] - HOUSES[3]["price"]) < 2
    assert server.http.get(f"/v1/models/{name}/versions/1/plots/data.svg").status_code == 200


def test_a_training_continues_from_a_version(server: Server) -> None:
    server.http.put("/v1/datasets/again", content=encoded("text/csv"), headers={"Content-Type": "text/csv"})
    server.client.wait(server.client.train(spec("again", "again", "kind", training={"epochs": 5}))["id"])
    on = spec("again", "again", "kind", training={"epochs": 0}, initial="again@1")
    job = server.client.wait(server.client.train(on)["id"])
    assert job["spec"]["initial"] == "again@1"
    digests = [server.client.manifest("again", version)["files"]["state_dict.safetensors"] for version in (1, 2)]
    assert digests[0] == digests[1]
    another_target = spec("again", "again", "dear", initial="again@1")
    for wrong in (on | {"model": {"kind": "mlp"}}, on | {"initial": "again@9"}, another_target):
        with pytest.raises(ApiError) as refusal:
            server.client.train(wrong)
        assert refusal.value.errors[0][0] == "/initial"


def test_a_training_continues_with_the_model_of_its_version(server: Server) -> None:
    server.http.put("/v1/datasets/plain", content=encoded("text/csv"), headers={"Content-Type": "text/csv"})
    model = {"kind": "tabm", "width": 8, "members": 2, "bins": 0}  # as before numbers were embedded
    short = {"epochs": 2}
    server.client.wait(server.client.train(spec("plain", "plain", "kind", training=short, model=model))["id"])
    job = server.client.wait(
        server.client.train(spec("plain", "plain", "kind", training=short, initial="plain@1"))["id"]
    )
    assert job["spec"]["initial"] == "plain@1"
    assert job["spec"]["model"].items() >= model.items()


def test_labels_and_confusion(server: Server) -> None:
    server.http.put("/v1/datasets/labels", content=encoded("text/csv"), headers={"Content-Type": "text/csv"})
    server.client.wait(server.client.train(spec("labels", "labels", ["large", "old"], training={"epochs": 20}))["id"])
    row = {column: value for column, value in HOUSES[0].items() if column not in ("large", "old")}
    answer = server.client.predict("labels", [row])["predictions"][0]
    assert set(answer["probabilities"]) == {"large", "old"}
    assert set(answer["labels"]) == {name for name, value in answer["probabilities"].items() if value > 0.5}
    server.client.wait(server.client.train(spec("dear", "labels", "dear", training={"epochs": 5}))["id"])
    confusion = server.client.manifest("dear", 1)["confusion"]["test"]
    assert sum(map(sum, confusion)) == 30
    assert server.http.get("/v1/models/dear/versions/1/plots/confusion.png").content.startswith(b"\x89PNG")


@pytest.fixture
def with_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service with the example plug-in installed as by pip."""
    site = tmp_path / "site"
    about = site / "polynomial_regression-1.0.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "plugin" / "polynomial_regression.py", site)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: polynomial-regression\nVersion: 1.0.0\n")
    entry = "polynomial_regression = polynomial_regression:PolynomialRegressionSpec"
    (about / "entry_points.txt").write_text(f"[modelwright.models]\n{entry}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    with Server(tmp_path / "home") as server:
        yield server


def test_an_operators_own_kind_of_model(with_plugin: Server) -> None:
    records = [{"x": x / 10, "y": (x / 10) ** 3 - x / 10} for x in range(-20, 21)]
    value = {
        "model_name": "cubic",
        "data": {"kind": "rows", "records": records, "target": "y"},
        "model": {"kind": "polynomial_regression", "degree": 3},
        "optimizer": {"name": "LBFGS", "line_search_fn": "strong_wolfe"},
        "training": {"epochs": 20, "batch_size": "full"},
    }
    with_plugin.client.wait(with_plugin.client.train(value)["id"])
    assert with_plugin.client.predict("cubic", inputs={"x": [1.5]})["predictions"][0] == pytest.approx(1.875, abs=0.05)
    with pytest.raises(ApiError) as refusal:
        with_plugin.client.train(value | {"model": {"kind": "polynomial_regression", "degree": 0}})
    assert refusal.value.errors[0][0] == "/model/degree"
