"""Two versions side by side."""

from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load

from tests.api.conftest import LINE, train
from tests.api.test_damage import flip, tensors
from tests.harness.server import Server


@pytest.fixture(scope="module")
def versions(http: httpx.Client) -> str:
    """Three versions of one model: the second has another learning rate, the third another kind of model."""
    name = "compared"
    train(http, name, notes="first")
    train(http, name, optimizer={"name": "SGD", "lr": 0.1}, notes="x" * 5000)
    train(http, name, model={"kind": "mlp", "hidden": [3]}, training={**LINE["training"], "epochs": 1})
    http.put(f"/v1/models/{name}/aliases/production", json={"version": 2}).raise_for_status()
    return name


def compare(http: httpx.Client, name: str, a: int | str, b: int | str) -> dict[str, Any]:
    answer = http.get(f"/v1/models/{name}/compare", params={"a": a, "b": b})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_differences_metrics_and_distances(http: httpx.Client, versions: str) -> None:
    found = compare(http, versions, 1, "production")
    manifests = [http.get(f"/v1/models/{versions}/versions/{number}").json() for number in (1, 2)]
    assert [found[side]["version"] for side in "ab"] == [1, 2]
    assert [found[side]["digest"] for side in "ab"] == [each["digest"] for each in manifests]
    assert found["spec"] == {
        "differences": [
            {"pointer": "/notes", "a": "first", "b": "x" * 1000 + "…"},
            {"pointer": "/optimizer/lr", "a": 0.01, "b": 0.1},
        ],
        "complete": True,
    }
    assert found["signature"] == found["data"] == {"differences": [], "complete": True}
    assert found["metrics"]["test"]["mae"] == {
        side: manifests[i]["metrics"]["test"]["mae"] for i, side in enumerate("ab")
    }
    files = [
        load(http.get(f"/v1/models/{versions}/versions/{number}/exports/safetensors").content) for number in (1, 2)
    ]
    assert found["parameters"]["a"] == found["parameters"]["b"] == 2
    distances = {each.pop("name"): each for each in found["parameters"]["tensors"]}
    assert distances.keys() == {"weight", "bias"}
    for name, each in distances.items():
        change = files[1][name].astype(np.float64) - files[0][name]
        assert each["a"] == each["b"] == {"shape": [1], "dtype": "float32"}
        assert (each["l2"], each["max"]) == (pytest.approx(np.linalg.norm(change)), np.abs(change).max())
    assert found["parameters"]["l2"] == pytest.approx(np.hypot(*(each["l2"] for each in distances.values())))


def test_a_version_is_at_no_distance_from_itself(http: httpx.Client, versions: str) -> None:
    found = compare(http, versions, 1, "1")
    assert found["spec"]["differences"] == [] and found["parameters"]["l2"] == 0


def test_what_cannot_be_subtracted_is_said(http: httpx.Client, versions: str) -> None:
    found = compare(http, versions, 2, "latest")
    assert {"pointer": "/model/hidden", "b": [3]} in found["spec"]["differences"]
    reasons = {each["name"]: each["reason"] for each in found["parameters"]["tensors"]}
    assert reasons["weight"] == "only a has this tensor" and "only b has this tensor" in reasons.values()
    assert found["parameters"]["l2"] is None


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/models/compared/compare?a=1&b=99", 404, "version_not_found"),
        ("/v1/models/compared/compare?a=no-alias&b=1", 404, "version_not_found"),
        ("/v1/models/no-model/compare?a=1&b=1", 404, "model_not_found"),
        ("/v1/models/No..model/compare?a=1&b=1", 422, "invalid_name"),
        ("/v1/models/compared/compare?a=1", 422, "invalid_request"),
    ],
)
def test_what_is_not_there_is_not_compared(
    http: httpx.Client, versions: str, path: str, status: int, code: str
) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_damaged_tensors_are_not_compared(http: httpx.Client, server: Server) -> None:
    # With weights of its own: those of equal content are stored once for all models.
    train(http, "damaged-compare", training={"epochs": 0, "seed": 20261128})
    flip(tensors(server, "damaged-compare")[0])
    answer = http.get("/v1/models/damaged-compare/compare?a=1&b=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")
