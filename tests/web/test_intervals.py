"""“Try it” of a version with a calibration part asks for an interval or a set; a version with a threshold says so."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.api.conftest import train
from tests.web.conftest import Visit
from tests.workflow.learning import houses


def trained(http: httpx.Client, name: str, target: str, **more: Any) -> None:
    """Trains a small model on the houses."""
    about: dict[str, Any] = {
        "data": {"kind": "rows", "records": houses(200), "target": target, "features": ["size", "age"]},
        "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
        "model": {"kind": "mlp", "hidden": [8]},
        "training": {"epochs": 5},
    } | more
    train(http, name, **about, loss=None, optimizer={"name": "AdamW", "lr": 0.01})


@pytest.mark.parametrize(
    ("target", "choice", "key"), [("price", "Interval", "interval"), ("kind", "Set of classes", "set")]
)
def test_a_prediction_is_asked_for_with_its_interval(
    visit: Visit, http: httpx.Client, target: str, choice: str, key: str
) -> None:
    name = f"web-intervals-{target}"
    trained(http, name, target)
    page = visit.open(f"#/models/{name}/1?tab=try")
    expect(page.locator(".predicted strong")).to_be_visible()
    levels = page.get_by_label(choice, exact=True)
    # 40 rows are not enough for 99 %.
    assert levels.locator("option").all_inner_texts() == ["none", "80 %", "90 %", "95 %"]
    page.get_by_label("size", exact=True).fill("0.5")
    page.get_by_label("age", exact=True).fill("-1")
    levels.select_option("90 %")
    body = {"instances": [{"size": 0.5, "age": -1}], "interval": 0.9}
    answer = http.post(f"/v1/models/{name}/predictions", json=body).json()["predictions"][0]
    if key == "interval":
        low, high = (f"{float(f'{end:.6g}'):,}" for end in answer[key])
        expect(page.get_by_text(f"between {low} and {high}")).to_be_visible()
    else:
        expect(page.get_by_text(f"One of: {', '.join(answer[key])}")).to_be_visible()
    expect(page.get_by_label("The same request in curl")).to_contain_text("?interval=0.9")
    page.get_by_role("button", name="Python", exact=True).click()
    expect(page.get_by_label("The same request in Python")).to_contain_text("interval=0.9")
    levels.select_option("none")
    expect(page.get_by_text("between " if key == "interval" else "One of: ")).to_have_count(0)


def test_a_version_with_a_threshold_is_not_judged_by_its_accuracy(visit: Visit, http: httpx.Client) -> None:
    costs = {"cost": {"false_positive": 1, "false_negative": 20}}
    split = {"train": 0.3, "validation": 0.4, "test": 0.3}
    trained(http, "web-threshold", "dear", split=split, threshold=costs, training={"epochs": 60})
    found = http.get("/v1/models/web-threshold/versions/1").json()
    page = visit.open("#/models/web-threshold/1")
    expect(
        page.get_by_text(f"is the answer where its probability is above {found['threshold']['threshold']:.4g}")
    ).to_be_visible()
    expect(page.get_by_text("balanced_accuracy of the baseline")).to_be_visible()
    expect(page.get_by_text("No better than the baseline")).to_have_count(0)
