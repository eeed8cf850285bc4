"""What is kept of a model of images for its plots, over HTTP and in bundles."""

from typing import Any

import httpx
import orjson
import pytest

from tests.api.conftest import ended
from tests.api.test_bundles import ZIP, closed, opened
from tests.harness.pictures import picture, zip_of

PATH = "/v1/models/look/versions/1"
POINTS = "files/points.json"


@pytest.fixture(scope="module")
def version(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a small convolution's version, trained on 18 pictures of three classes."""
    names = [f"{kind}/{each}.png" for kind in ("cat", "dog", "<b>") for each in range(6)]
    files = {name: picture(at, size=(12, 8)) for at, name in enumerate(names)}
    http.put("/v1/datasets/look", content=zip_of(files), headers={"Content-Type": "application/zip"}).raise_for_status()
    data = {"kind": "dataset", "dataset": "look", "target": "label", "features": {"image": {"type": "image"}}}
    spec = {"model_name": "look", "data": data, "model": {"kind": "cnn", "channels": [5]}, "training": {"epochs": 1}}
    accepted = http.post("/v1/training-jobs", json=spec)
    assert accepted.status_code == 202, accepted.text
    assert ended(http, accepted.json()["id"])["status"] == "succeeded"
    found: dict[str, Any] = http.get(PATH).json()
    return found


def test_pictures_filters_and_the_worst_answers_are_drawn(http: httpx.Client, version: dict[str, Any]) -> None:
    assert {"data", "predictions", "filters", "confusion"} <= set(version["plots"])
    drawn = http.get(f"{PATH}/plots/predictions.svg")
    assert drawn.status_code == 200 and "The worst answers" in drawn.text and "data:image/png;base64," in drawn.text
    card = http.get(f"{PATH}/card", headers={"Accept": "text/html"}).text
    assert "Filters of the first convolution" in card and "--data-binary @photo.jpg" in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda points: points["examples"]["worst"][0]["picture"].update(width=11), "expected 264 bytes in base64"),
        (lambda points: points["examples"]["worst"][0]["picture"].update(pixels="PHN2Zz4="), "expected 288 bytes"),
        (lambda points: points["examples"].update(picture="label"), "/examples: "),
        (lambda points: points["examples"]["counts"].update(test=[1]), "/examples/counts/test: expected 3"),
        (lambda points: points["lengths"].update(label=[]), "/lengths: "),
        (lambda points: points.update(filters=[]), "/plots: "),
        (lambda points: points.update(examples=None), "/examples: expected some"),
    ],
)
def test_a_bundle_whose_examples_cannot_be_is_refused(
    http: httpx.Client, version: dict[str, Any], change: Any, said: str
) -> None:
    members = opened(http.get(f"{PATH}/bundle").content)
    assert b".png" not in members[POINTS]  # the names of files are not shared
    points = orjson.loads(members[POINTS])
    change(points)
    refused = http.post(
        "/v1/models/look-again/versions", content=closed(members | {POINTS: orjson.dumps(points)}), headers=ZIP
    )
    assert refused.status_code == 422 and said in refused.text, refused.text
