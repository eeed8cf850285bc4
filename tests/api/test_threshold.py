"""The threshold of two classes over HTTP: every format and protocol answers with the label that it decides."""

import io
from typing import Any

import httpx
import polars as pl
import pytest

from tests.api.conftest import train
from tests.api.test_bundles import ZIP, closed, opened
from tests.workflow.learning import houses

NAME, COSTS = "costly", {"cost": {"false_positive": 1, "false_negative": 8}}
ROWS = [[each["size"]] for each in houses(60)]
PATH = f"/v1/models/{NAME}/versions/1"


@pytest.fixture(scope="module")
def manifest(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a model of rare classes, whose answers a threshold decides."""
    rows = [{"size": each["size"], "rare": "yes" if each["price"] > 2.5 else "no"} for each in houses(500)]
    train(
        http,
        NAME,
        data={"kind": "rows", "records": rows, "target": "rare"},
        split={"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
        model={"kind": "mlp", "hidden": [8]},
        training={"epochs": 20},
        optimizer={"name": "AdamW", "lr": 0.01},
        loss=None,
        threshold=COSTS,
    )
    made: dict[str, Any] = http.get(PATH).raise_for_status().json()
    return made


@pytest.fixture
def wanted(http: httpx.Client, manifest: dict[str, Any]) -> list[str]:
    """The labels by the threshold, which are not all those of the most probable class."""
    answer = http.post(f"/v1/models/{NAME}/predictions", json={"instances": ROWS}).raise_for_status()
    chances = [each["probabilities"]["yes"] for each in answer.json()["predictions"]]
    labels = ["yes" if each > manifest["threshold"]["threshold"] else "no" for each in chances]
    assert [each["label"] for each in answer.json()["predictions"]] == labels
    assert any(each == "yes" and chance < 0.5 for each, chance in zip(labels, chances, strict=True)) and "no" in labels
    return labels


def test_the_manifest_and_the_card_say_how_it_was_chosen(http: httpx.Client, manifest: dict[str, Any]) -> None:
    found = manifest["threshold"]
    assert manifest["spec"]["threshold"] == {"metric": None} | COSTS and found["positive"] == "yes"
    assert found["rows"] == 100 and found["measure"] == "cost" and found["after"] < found["before"]
    assert manifest["signature"]["outputs"][0]["threshold"] == found["threshold"] < 0.5
    card = http.get(f"{PATH}/card").text
    assert "The answer is yes where its probability is above" in card


@pytest.mark.parametrize(
    "media_type",
    ["text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"],
)
def test_every_format_has_the_labels(http: httpx.Client, wanted: list[str], media_type: str) -> None:
    answer = http.post(f"{PATH}/predictions", json={"instances": ROWS}, headers={"Accept": media_type})
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "stream": pl.read_ipc_stream, "parquet": pl.read_parquet}
    reader: Any = next(read for ending, read in read.items() if media_type.endswith(ending))
    assert reader(io.BytesIO(answer.raise_for_status().content))["label"].to_list() == wanted


def test_other_protocols_have_the_labels(http: httpx.Client, wanted: list[str]) -> None:
    tensor = {"name": "input-0", "shape": [60, 1], "datatype": "FP32", "data": [row[0] for row in ROWS]}
    answer = http.post(f"/v2/models/{NAME}/infer", json={"inputs": [tensor]}).raise_for_status().json()
    assert next(each["data"] for each in answer["outputs"] if each["name"] == "label") == wanted
    tensorflow = http.post(f"/v1/models/{NAME}:predict", json={"instances": ROWS}).raise_for_status().json()
    assert [each["label"] for each in tensorflow["predictions"]] == wanted


def test_a_set_has_the_label(http: httpx.Client, wanted: list[str]) -> None:
    answer = http.post(f"{PATH}/predictions", json={"instances": ROWS, "interval": 0.8}).raise_for_status()
    found = answer.json()["predictions"]
    assert [each["label"] for each in found] == wanted and all(each["label"] in each["set"] for each in found)


def test_a_bundle_keeps_the_threshold_and_a_false_one_is_refused(http: httpx.Client, wanted: list[str]) -> None:
    bundle = http.get(f"{PATH}/bundle").content
    http.post("/v1/models/costly-there/versions", content=bundle, headers=ZIP).raise_for_status()
    there = http.post("/v1/models/costly-there/predictions", json={"instances": ROWS}).json()["predictions"]
    assert [each["label"] for each in there] == wanted
    for field, value in (("threshold", 0.75), ("positive", "no"), ("threshold", 2.0), ("measure", "luck")):
        members = opened(bundle)
        members["manifest.json"]["threshold"][field] = value
        refused = http.post("/v1/models/refused/versions", content=closed(members), headers=ZIP)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_bundle"), field


def test_a_training_that_goes_on_chooses_its_own(http: httpx.Client, manifest: dict[str, Any]) -> None:
    again = {**manifest["spec"], "threshold": None, "initial": f"{NAME}@1", "training": {"epochs": 1}}
    again = {name: value for name, value in again.items() if name != "optimizer"}
    train(http, "costly-no-more", **again)
    found = http.get("/v1/models/costly-no-more/versions/1").json()
    assert "threshold" not in found and "threshold" not in found["signature"]["outputs"][0]
