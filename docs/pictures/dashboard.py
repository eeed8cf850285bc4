"""Takes the pictures of the dashboard: each page of a real service, in chromium, wide and light, narrow and dark."""

import random
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from modelwright import Client
from service.cli.demo import Service

HERE = Path(__file__).resolve().parent
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
LOOKS = [("wide", "light"), ("narrow", "dark")]
BOTH = [("wide", "light"), ("wide", "dark"), ("narrow", "light"), ("narrow", "dark")]


def houses(count: int = 900) -> str:
    """A table of houses as CSV: what they cost follows from size, rooms, age, district and garden, with noise."""
    draw = random.Random(7)  # noqa: S311 - a table for pictures
    districts = {"centre": 1.35, "harbour": 1.2, "north": 1.0, "hills": 1.1, "old town": 1.25}
    lines = ["area,rooms,built,district,garden,price"]
    for _ in range(count):
        area, built = round(draw.gauss(105, 35) % 220 + 25, 1), draw.randint(1890, 2024)
        district, garden = draw.choice(list(districts)), draw.random() < 0.4
        rooms = max(1, round(area / 28 + draw.gauss(0, 0.7)))
        price = (area * 2900 * districts[district] + rooms * 4000 + (built - 1950) * 300 + garden * 22000) * draw.gauss(
            1, 0.05
        )
        known = "" if draw.random() < 0.04 else str(built)
        lines.append(f"{area},{rooms},{known},{district},{str(garden).lower()},{price:.0f}")
    return "\n".join(lines) + "\n"


def prepare(client: Client, folder: Path) -> dict[str, str]:
    """Uploads and trains what the pictures show; the hash of each page, by the name of its picture."""
    table = folder / "houses.csv"
    table.write_text(houses())
    client.upload_dataset("houses", table)
    data = {"kind": "dataset", "dataset": "houses", "target": "price"}
    small = {"model_name": "houses", "data": data, "model": {"kind": "mlp", "hidden": [16]}, "training": {"epochs": 60}}
    client.wait(client.train(small)["id"])
    job = client.wait(
        client.train({"model_name": "houses", "data": data, "training": {"epochs": 60}, "notes": "Prices of 2024."})[
            "id"
        ]
    )
    client.set_alias("houses", "production", 2)
    client.upload_dataset("iris", Path("examples/iris.csv"))
    client.wait(
        client.train({"model_name": "iris", "data": {"kind": "dataset", "dataset": "iris", "target": "species"}})["id"]
    )
    return {
        "overview": "#/",
        "data": "#/data/houses",
        "train": "#/train?dataset=houses&target=price",
        "job": f"#/jobs/{job['id']}",
        "models": "#/models/houses",
        "model": "#/models/houses/2",
        "try": "#/models/houses/2?tab=try",
        "operations": "#/operations",
    }


def photograph(browser: Browser, address: str, pages: dict[str, str]) -> None:
    """One picture of each page and look."""
    for size, theme in BOTH:
        context = browser.new_context(viewport=SIZES[size], color_scheme=theme, locale="en-GB")  # type: ignore[arg-type]
        page = context.new_page()
        for name, target in pages.items():
            if (size, theme) in (BOTH if name == "job" else LOOKS):
                page.goto(f"{address}/{target}")
                settle(page)
                page.screenshot(path=HERE / f"dashboard-{name}-{size}-{theme}.png")
        context.close()


def settle(page: Page) -> None:
    """Waits until what the page asks for is there."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("main .spinner")).to_have_count(0, timeout=60_000)
    expect(page.get_by_text("Checking …")).to_have_count(0, timeout=60_000)


def main() -> None:
    """Takes all pictures."""
    chromium = shutil.which("chromium") or sys.exit("There is no chromium (on Debian: apt-get install chromium).")
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        service = Service(folder / "home", folder / "service.log")
        cleanup.callback(service.end)
        with service.client() as client:
            pages = prepare(client, folder)
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        photograph(browser, service.address, pages)
        browser.close()


if __name__ == "__main__":
    main()
