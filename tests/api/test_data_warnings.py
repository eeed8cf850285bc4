"""Warnings about data over HTTP: in the manifest, the card and an imported bundle, and on the command line."""

import random

import httpx

from tests.api.conftest import train
from tests.api.test_bundles import closed, opened


def test_a_version_keeps_its_warnings(http: httpx.Client) -> None:
    draw = random.Random(3)  # noqa: S311 - test data
    records = [{"x": draw.gauss(0, 1), "z": draw.gauss(0, 1)} for _ in range(240)]
    told = [{**each, "y": each["x"] + draw.gauss(0, 1)} for each in records + records[:60]]
    about = {"data": {"kind": "rows", "records": told, "target": "y"}, "model": None, "loss": None}
    train(http, "warned", **about, split={"train": 0.8, "test": 0.2, "shuffle": False})
    manifest = http.get("/v1/models/warned/versions/1").json()
    (warning,) = manifest["warnings"]
    assert warning.startswith("60 of 60 rows of the test part (100%) are equal to training rows in every feature")
    text = http.get("/v1/models/warned/versions/1/card").text
    assert "## Warnings" in text and "60 of 60 rows of the test part" in text
    members = opened(http.get("/v1/models/warned/versions/1/bundle").content)
    headers = {"Content-Type": "application/zip"}
    assert http.post("/v1/models/warned-again/versions", content=closed(members), headers=headers).status_code == 201
    members["manifest.json"]["warnings"] = [7]
    refused = http.post("/v1/models/warned-again/versions", content=closed(members), headers=headers)
    assert refused.status_code == 422 and "/warnings/0" in refused.text


def test_a_version_of_clean_data_has_none(http: httpx.Client, line: object) -> None:
    assert "warnings" not in http.get("/v1/models/line/versions/1").json()
    assert "## Warnings" not in http.get("/v1/models/line/versions/1/card").text
