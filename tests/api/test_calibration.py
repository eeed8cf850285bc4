"""Calibrated versions over HTTP: the manifest says by what, predictions and bundles have it, and false ones are refused."""

from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.api.conftest import train
from tests.api.test_bundles import STATE_DICT, ZIP, Members, closed, opened
from tests.workflow.test_calibration import noisy

ROW = {f"x{at}": 0.4 * at - 1 for at in range(8)}
PATH = "/v1/models/calibrated/versions/1"


@pytest.fixture(scope="module")
def manifest(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a network that has learned its rows by heart, and is calibrated by default."""
    parts = {**spec(), "loss": {"name": "CrossEntropyLoss"}, "optimizer": {"name": "AdamW", "lr": 0.005}}
    train(http, "calibrated", **parts)
    train(http, "uncalibrated", calibration=None, **parts)
    made: dict[str, Any] = http.get(PATH).raise_for_status().json()
    return made


def spec() -> dict[str, Any]:
    """The parts of the spec."""
    return {
        "data": {"kind": "rows", "records": noisy(3, 700), "target": "z"},
        "split": {"train": 200, "validation": 200, "test": 300},
        "model": {"kind": "mlp", "hidden": [64]},
        "training": {"epochs": 150, "early_stopping": None},
    }


def predicted(http: httpx.Client, name: str) -> dict[str, Any]:
    """The answer to one row."""
    answer = http.post(f"/v1/models/{name}/predictions", json={"instances": [ROW]})
    found: dict[str, Any] = answer.raise_for_status().json()["predictions"][0]
    return found


def test_answers_are_calibrated_and_the_manifest_says_by_what(http: httpx.Client, manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["calibration"] == "temperature"
    found = manifest["calibration"]
    assert found["rows"] == 200 and found["temperature"] > 1
    assert found["log_loss_after"] < found["log_loss_before"] and found["ece_after"] < found["ece_before"]
    assert manifest["metrics"]["validation"]["ece"] == pytest.approx(found["ece_after"], abs=1e-6)
    own, other = predicted(http, "calibrated"), predicted(http, "uncalibrated")
    assert own["label"] == other["label"]
    logits = np.log(np.array([*other["probabilities"].values()])) / found["temperature"]
    expected = np.exp(logits) / np.exp(logits).sum()
    assert [*own["probabilities"].values()] == pytest.approx(expected.tolist(), rel=1e-3)
    unwanted = http.get("/v1/models/uncalibrated/versions/1").json()
    assert "calibration" not in unwanted and unwanted["spec"]["calibration"] is None
    assert "calibrated by a temperature of" in http.get(f"{PATH}/card").text


def test_a_regression_is_not_calibrated(http: httpx.Client) -> None:
    given = spec()
    given["data"]["target"] = "x0"
    refused = http.post("/v1/training-jobs", json={"model_name": "m", "calibration": "temperature", **given})
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/calibration"


def test_a_bundle_keeps_the_calibration(http: httpx.Client, manifest: dict[str, Any]) -> None:
    bundle = http.get(f"{PATH}/bundle").content
    http.post("/v1/models/calibrated-there/versions", content=bundle, headers=ZIP).raise_for_status()
    assert predicted(http, "calibrated-there") == predicted(http, "calibrated")


def with_temperature(members: Members, value: float | None, *, said: bool) -> None:
    tensors = load(members[STATE_DICT])
    if value is None:
        del tensors["calibration.temperature"]
    else:
        tensors["calibration.temperature"] = np.array(value, np.float32)
    members[STATE_DICT] = save(tensors)
    if said:
        members["manifest.json"]["calibration"]["temperature"] = value


@pytest.mark.parametrize(("value", "said"), [(0.0, True), (-1.0, True), (2.0, False), (None, False)])
def test_a_false_temperature_is_refused(
    http: httpx.Client, manifest: dict[str, Any], value: float | None, said: bool
) -> None:
    members = opened(http.get(f"{PATH}/bundle").content)
    with_temperature(members, value, said=said)
    refused = http.post("/v1/models/refused/versions", content=closed(members), headers=ZIP)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_bundle")
