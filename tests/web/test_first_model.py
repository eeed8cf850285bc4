"""The first model of a newcomer, from the first page to a file that PyTorch reads, by clicks alone."""

import csv
import io
from pathlib import Path

import torch
from playwright.sync_api import Browser, Locator, expect

from tests.harness.server import ROOT, Server
from tests.web.conftest import WIDE, Visit

MOST_CLICKS = 15


def test_a_newcomer_uploads_trains_predicts_promotes_and_exports(browser: Browser, tmp_path: Path) -> None:
    clicks = 0

    def click(target: Locator) -> None:
        nonlocal clicks
        target.click()
        clicks += 1

    with Server(tmp_path / "home", slots=1) as server:
        visit = Visit(browser.new_context(viewport=WIDE), server.url)  # type: ignore[arg-type]
        page = visit.open()
        expect(page.get_by_text("Train your first model")).to_be_visible()
        with page.expect_file_chooser() as choosing:
            click(page.locator("button", has_text="Choose files"))
        choosing.value.set_files(ROOT / "examples" / "iris.csv")
        click(page.get_by_role("button", name="Upload", exact=True))
        click(page.get_by_role("link", name="Train with this"))
        click(page.get_by_role("button", name="Predict species"))
        train = page.get_by_role("button", name="Train", exact=True)
        expect(train).to_be_enabled()
        click(train)

        curve = page.get_by_role("img", name="loss").first
        expect(curve).to_be_visible()
        expect(page.get_by_text("succeeded").first).to_be_visible()
        click(page.get_by_role("link", name="Try the model"))
        flower = next(csv.DictReader(io.StringIO((ROOT / "examples" / "iris.csv").read_text())))
        for name in ("sepal_length", "sepal_width", "petal_length", "petal_width"):
            page.get_by_label(name, exact=True).fill(flower[name])
        expect(page.get_by_text(flower["species"]).first).to_be_visible()

        click(page.get_by_role("button", name="Promote …"))
        click(page.get_by_role("dialog").get_by_role("button").last)
        expect(page.get_by_text("production").first).to_be_visible()
        click(page.get_by_role("tab", name="Downloads"))
        with page.expect_download() as saving:
            click(page.get_by_role("button", name="Download state_dict"))
        saving.value.save_as(tmp_path / "iris.pt")
        visit.check()
        visit.context.close()
        assert server.http.get("/v1/models/iris/versions/production").json()["version"] == 1
    assert torch.load(tmp_path / "iris.pt", weights_only=True)
    assert clicks <= MOST_CLICKS
