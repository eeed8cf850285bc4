"""Images in the dashboard: from a zip file to the answer about a picture."""

import io
import re

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.harness.pictures import zip_of
from tests.web.accessibility import EVERY_FORM, Axe, check_axe
from tests.web.conftest import Visit

RTL = "שלום <b>"


def square(shade: int) -> bytes:
    """A PNG file of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (12, 8), (shade, 255 - shade, 40)).save(file, "PNG")
    return file.getvalue()


def drawn(page: Page, name: str | re.Pattern[str]) -> None:
    """Waits until a canvas has a picture on it."""
    canvas = page.get_by_role("img", name=name).first
    expect(canvas).to_be_visible()
    handle = canvas.element_handle()
    script = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(each => each)"
    page.wait_for_function(script, arg=handle)


def test_from_a_zip_file_of_images_to_the_answer_about_a_picture(visit: Visit, http: httpx.Client, axe: Axe) -> None:
    files = {f"{kind}/{at}.png": square(200 * red + at) for red, kind in enumerate(("green", RTL)) for at in range(12)}
    visit.expected = ["422"]  # a size and a file that are refused
    page = visit.open("#/data")
    chosen = {"name": "web-images.zip", "mimeType": "application/zip", "buffer": zip_of(files)}
    page.get_by_label("Choose files").set_input_files(chosen)  # type: ignore[arg-type]
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", level=2, name="Images of image")).to_be_visible()
    expect(page.get_by_role("heading", level=3, name=RTL)).to_be_visible()
    drawn(page, "Row 1, green, green/0.png")
    page.get_by_role("button", name="Show 24").click()
    expect(page.get_by_role("img", name=re.compile("^Row "))).to_have_count(24)
    expect(page.get_by_text("12 × 8 pixels · 24 PNG · in colour")).to_be_visible()
    check_axe(page, axe)

    page.get_by_role("link", name="Train with this").click()
    page.get_by_role("button", name="Predict label").click()
    expect(page.get_by_text("Ready to train")).to_be_visible()
    expect(page.get_by_label("Size", exact=True)).to_have_attribute("placeholder", "8, 12")
    page.get_by_label("Size", exact=True).fill("0")
    expect(page.get_by_label("Size", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Size", exact=True).fill("6")
    page.get_by_label("Mirror").select_option("yes")
    page.locator("[data-pointer='/training/epochs']").fill("2")
    expect(page.get_by_text("Ready to train")).to_be_visible()
    if EVERY_FORM:
        check_axe(page, axe)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("succeeded").first).to_be_visible()
    feature = http.get("/v1/models/web-images/versions/1").json()["spec"]["data"]["features"]["image"]
    assert (feature["size"], feature["augmentation"]["flip"]) == ([6, 6], True)

    page.goto(f"{visit.url}/#/models/web-images/1?tab=try")
    expect(page.get_by_text("Choose a file or write a text")).to_be_visible()
    page.get_by_label("image", exact=True).set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": square(203)}
    )
    drawn(page, "The picture chosen for image")
    chances = page.get_by_role("table", name="Probabilities")
    expect(chances.get_by_role("row")).to_have_count(2)
    expect(page.get_by_label("The same request in curl")).to_contain_text("image=@mine.png")
    check_axe(page, axe)
    page.get_by_label("image", exact=True).set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
    )
    expect(page.get_by_text("the image cannot be read")).to_be_visible()

    page.get_by_role("tab", name="Plots").click()
    drawn(page, re.compile("^Predictions and truth of web-images"))
    expect(page.get_by_role("heading", name="Filters")).to_be_visible()


@pytest.mark.nightly
def test_a_text_is_written_and_its_answer_changes(visit: Visit, http: httpx.Client) -> None:
    lines = ["words,mood"]
    lines += [f"a very {'good' if at % 2 else 'bad'} place of {at} rooms and more,{at % 2}" for at in range(60)]
    http.put("/v1/datasets/web-texts", content="\n".join(lines)).raise_for_status()
    data = {"kind": "dataset", "dataset": "web-texts", "target": "mood", "features": {"words": {"type": "text"}}}
    job = http.post("/v1/training-jobs", json={"model_name": "web-texts", "data": data, "training": {"epochs": 4}})
    while http.get(f"/v1/training-jobs/{job.json()['id']}", params={"wait": 20}).json()["status"] in (
        "queued",
        "running",
    ):
        pass
    page = visit.open("#/models/web-texts/1?tab=try")
    page.get_by_label("words").fill("a good place")
    expect(page.get_by_role("table", name="Probabilities").get_by_role("row")).to_have_count(2)
    page.get_by_role("tab", name="Plots").click()
    drawn(page, re.compile("^Data of web-texts"))
