"""`effort` over HTTP: a plan shows what it changes."""

from typing import Any

import httpx

from tests.api.test_folds import parts, records

PATH = "/v1/models/searched/versions/1"


def about(**more: Any) -> dict[str, Any]:
    """The parts of a spec that names neither optimizer nor split."""
    return parts() | {"split": None, "optimizer": None, "training": {"epochs": 9}} | more


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
