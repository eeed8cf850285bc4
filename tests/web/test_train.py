"""The page Train: a spec as a form and as JSON, checked while it is written."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.harness.server import Server
from tests.web.conftest import Visit

JOB = re.compile(r"#/jobs/([^/?]+)$")


@pytest.fixture
def page(visit: Visit, http: httpx.Client) -> Page:
    """The form for a small data set, whose target is chosen by a click."""
    lines = "\n".join(f"{each},{'ab'[each % 2]},{each * 2 + 1}" for each in range(60))
    http.put("/v1/datasets/web-train", content=f"x,kind,y\n{lines}").raise_for_status()
    visit.expected = ["422", "404"]  # refused specs; and what another page may ask for
    page = visit.open("#/train?dataset=web-train")
    page.get_by_role("button", name="Predict y").click()
    expect(page.get_by_text("Ready to train")).to_be_visible()
    return page


def section(page: Page, title: str) -> Locator:
    """A part of the form."""
    return page.locator("details.section").filter(has=page.get_by_role("heading", name=title, exact=True))


def spec_of(page: Page) -> dict[str, object]:
    """The spec in the JSON beside the form."""
    spec: dict[str, object] = json.loads(page.get_by_label("The spec as JSON").input_value())
    return spec


def test_form_and_json_stay_in_step_and_errors_stand_at_their_fields(page: Page) -> None:
    assert spec_of(page) == {
        "model_name": "web-train",
        "data": {"kind": "dataset", "dataset": "web-train", "target": "y"},
    }
    epochs = page.get_by_label("Epochs")
    epochs.fill("-3")
    expect(page.get_by_text("1 thing to correct")).to_be_visible()
    expect(epochs).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_disabled()
    epochs.fill("2")
    expect(page.get_by_text("Ready to train")).to_be_visible()

    optimizer = section(page, "Optimizer")
    optimizer.locator("summary").first.click()
    optimizer.get_by_label("Kind").select_option("SGD")
    optimizer.get_by_label("Learning rate (lr)").fill("0.05")
    page.get_by_text("Features: 2 of 2 columns").click()
    page.get_by_label("Type of x").select_option("category")
    assert spec_of(page)["optimizer"] == {"name": "SGD", "lr": 0.05}
    assert spec_of(page)["data"] == {
        "kind": "dataset",
        "dataset": "web-train",
        "target": "y",
        "features": {"x": {"type": "category"}, "kind": {"type": "category"}},
    }

    area = page.get_by_label("The spec as JSON")
    changed = spec_of(page) | {"optimizer": {"name": "Adam", "lr": 0.25}}
    area.fill(json.dumps(changed, indent=2)[:-1])
    expect(page.get_by_text("The JSON is not valid")).to_be_visible()
    expect(epochs).to_be_disabled()
    area.fill(json.dumps(changed))
    expect(optimizer.get_by_label("Kind")).to_have_value("Adam")
    expect(optimizer.get_by_label("Learning rate (lr)")).to_have_value("0.25")
    expect(epochs).to_be_enabled()


def test_layers_are_stacked_in_the_form(page: Page, http: httpx.Client) -> None:
    model = section(page, "Model")
    model.get_by_label("Kind").first.select_option("layers")
    for number, kind in ((1, "Linear"), (2, "ReLU"), (3, "Linear")):
        model.get_by_role("button", name="Add one").click()
        model.get_by_label(f"Kind of {number}").select_option(kind)
    model.get_by_label("Out features").first.fill("4")
    expect(page.get_by_text("Ready to train")).to_be_visible()
    assert spec_of(page)["model"] == {
        "kind": "layers",
        "layers": [{"name": "Linear", "out_features": 4}, {"name": "ReLU"}, {"name": "Linear"}],
    }


def test_a_preset_is_trained_once_and_its_version_taken_up_again(page: Page, visit: Visit, http: httpx.Client) -> None:
    page.get_by_role("button", name="Small network").click()
    page.get_by_label("Epochs").fill("2")
    expect(page.get_by_text("Ready to train")).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(JOB)
    found = JOB.search(page.url)
    assert found is not None
    job = http.get(f"/v1/training-jobs/{found[1]}", params={"wait": 60}).json()
    assert job["status"] == "succeeded"
    assert job["spec"]["model"]["hidden"] == [32, 32]
    assert job["spec"]["training"]["epochs"] == 2

    again = visit.open("#/train?from=web-train@latest")
    expect(again.get_by_text("Ready to train")).to_be_visible()
    expect(again.get_by_label("Epochs")).to_have_value("2")
    again.get_by_role("button", name="Take the weights of web-train@").click()
    expect(again.get_by_text("Ready to train")).to_be_visible()
    assert spec_of(again)["initial"] == f"web-train@{job['result']['version']}"


def test_a_newcomer_trains_the_example_with_one_click(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path / "home", slots=1) as server:
        visit = Visit(browser.new_context(), server.url)
        visit.expected = []
        page = visit.open()
        page.get_by_role("button", name="Train the example").click()
        page.wait_for_url(JOB)
        assert server.http.get("/v1/training-jobs").json()["data"][0]["model_name"] == "line"
        visit.check()
        visit.context.close()
