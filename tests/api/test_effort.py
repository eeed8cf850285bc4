"""`effort` over HTTP: the rates that were tried are in the manifest, whose spec trains the same model without a search."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_bundles import ZIP, closed, opened
from tests.api.test_folds import parts, records

PATH = "/v1/models/searched/versions/1"


def about(**more: Any) -> dict[str, Any]:
    """The parts of a spec that names neither optimizer nor split."""
    return parts() | {"split": None, "optimizer": None, "training": {"epochs": 9}} | more


@pytest.fixture(scope="module")
def searched(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a model whose rates were searched."""
    job = train(http, "searched", **about(effort="high"))
    assert job["spec"]["effort"] == "high" and job["progress"]["fraction"] == 1
    manifest: dict[str, Any] = http.get(PATH).raise_for_status().json()
    return manifest


def test_the_rates_with_the_lowest_loss_are_those_of_the_version(http: httpx.Client, searched: dict[str, Any]) -> None:
    tried, chosen = searched["search"]["tried"], searched["search"]["chosen"]
    assert len(tried) == 6 and tried[chosen]["loss"] == min(each["loss"] for each in tried)
    assert searched["spec"]["optimizer"]["lr"] == tried[chosen]["lr"] and "effort" not in searched["spec"]
    text = http.get(f"{PATH}/card").text
    assert f"the best of short trainings (number {chosen + 1} of 6)" in text
    again = http.post("/v1/training-jobs", json={**searched["spec"], "model_name": "again"}).json()["id"]
    assert http.get(f"/v1/training-jobs/{again}?wait=20").json()["status"] == "succeeded"
    other = http.get("/v1/models/again/versions/1").json()
    assert other["files"]["state_dict.safetensors"] == searched["files"]["state_dict.safetensors"]
    assert "search" not in other


def test_a_bundle_keeps_the_search_and_is_checked(http: httpx.Client, searched: dict[str, Any]) -> None:
    members = opened(http.get(f"{PATH}/bundle").content)
    assert http.post("/v1/models/searched-there/versions", content=closed(members), headers=ZIP).status_code == 201
    members["manifest.json"]["search"]["chosen"] = 6
    refused = http.post("/v1/models/searched-there/versions", content=closed(members), headers=ZIP)
    assert refused.status_code == 422 and "/search" in refused.text


def test_max_is_a_bag_of_folds_and_a_plan_says_so(http: httpx.Client) -> None:
    def checked(**more: Any) -> httpx.Response:
        return http.post("/v1/training-jobs/validate", json={"model_name": "planned", **about(**more)})

    planned, single = checked(effort="max").raise_for_status().json(), checked(effort="low").raise_for_status().json()
    split = planned["spec"]["split"]
    assert (planned["spec"]["effort"], split["kind"], split["folds"], split["final"]) == ("max", "k_fold", 5, "bag")
    assert planned["parameters"] == 5 * single["parameters"]
    few = {"kind": "rows", "records": records(8), "target": "y"}
    for refused in (
        checked(effort="max", data=few),
        checked(effort="extreme"),
        checked(effort="high", split={"test": 0.3}),
    ):
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/effort")
