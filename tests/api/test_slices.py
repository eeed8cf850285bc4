"""Metrics by group over HTTP: in the manifest, the card and an imported bundle; a bad column is refused with its pointer."""

import random
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_bundles import closed, opened


@pytest.fixture(scope="module")
def sliced(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a classifier that cannot know the rows of the region north, which is no feature."""
    draw = random.Random(3)  # noqa: S311 - test data
    records = []
    for at in range(600):
        x, north = draw.gauss(0, 1), at % 5 == 0
        records.append(
            {"x": x, "y": draw.choice("ab") if north else "ab"[x > 0], "region": "north" if north else "south"}
        )
    data = {"kind": "rows", "records": records, "target": "y", "features": ["x"]}
    settings = {"epochs": 60, "early_stopping": None}
    split = {"train": 0.4, "test": 0.6}
    train(
        http,
        "sliced",
        data=data,
        evaluation={"by": ["region"]},
        split=split,
        training=settings,
        model=None,
        loss=None,
        optimizer=None,
    )
    manifest: dict[str, Any] = http.get("/v1/models/sliced/versions/1").json()
    return manifest


def test_the_manifest_has_the_metrics_by_group(sliced: dict[str, Any]) -> None:
    found = sliced["slices"]
    assert (found["part"], found["rows"], found["metric"], found["positive"]) == ("test", 360, "accuracy", "b")
    assert [each["column"] for each in found["columns"]] == ["region", "x"]
    regions = {each["value"]: each for each in found["columns"][0]["groups"]}
    together = sum(each["rows"] * each["metrics"]["accuracy"] for each in regions.values()) / 360
    assert together == pytest.approx(sliced["metrics"]["test"]["accuracy"])
    worst = found["worst"]
    assert (worst["column"], worst["value"], worst["beyond_chance"]) == ("region", "north", True)


def test_the_card_names_the_worst_group(http: httpx.Client, sliced: dict[str, Any]) -> None:
    text = http.get("/v1/models/sliced/versions/1/card").text
    assert "## Metrics by group" in text and "Worst group: region: north" in text
    assert "equalised odds" in text


def test_a_bundle_keeps_them_and_is_checked(http: httpx.Client, sliced: dict[str, Any]) -> None:
    members = opened(http.get("/v1/models/sliced/versions/1/bundle").content)
    headers = {"Content-Type": "application/zip"}
    taken = http.post("/v1/models/sliced-again/versions", content=closed(members), headers=headers)
    assert taken.status_code == 201, taken.text
    assert http.get("/v1/models/sliced-again/versions/1").json()["slices"] == sliced["slices"]
    members["manifest.json"]["slices"]["columns"][0]["groups"][0]["rows"] = -1
    refused = http.post("/v1/models/sliced-again/versions", content=closed(members), headers=headers)
    assert refused.status_code == 422 and "/slices/columns/0/groups/0/rows" in refused.text


def test_a_column_that_does_not_exist_is_refused(http: httpx.Client) -> None:
    data = {"kind": "rows", "records": [{"x": i, "sex": "ab"[i % 2], "y": i} for i in range(40)], "target": "y"}
    spec = {"model_name": "refused", "data": data, "evaluation": {"by": ["sex", "sxe"]}}
    for path in ("/v1/training-jobs", "/v1/training-jobs/validate"):
        answer = http.post(path, json=spec)
        assert answer.status_code == 422, answer.text
        fault = answer.json()["errors"][0]
        assert fault["pointer"] == "/evaluation/by/1"
        assert "did you mean 'sex'" in fault["message"]
