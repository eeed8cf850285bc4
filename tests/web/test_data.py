"""The page Data: uploads, what is in a data set, corrections."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.web.accessibility import EVERY_FORM
from tests.web.conftest import NARROW, Visit

HOSTILE = "<img src=x onerror=alert(1)>{{x}} \u202egnp \U0001f600"


def table(rows: int = 60) -> bytes:
    """A table with a number, a code, a word and a name that tries to be HTML."""
    lines = [f"size;zip;kind;{HOSTILE}"]
    lines += [f"{each * 1.5:.1f};{(each % 3) * 10};{'ab'[each % 2]};{HOSTILE if each else ''}" for each in range(rows)]
    return "\n".join(lines).encode()


def test_a_file_becomes_a_data_set_that_is_corrected_and_deleted(visit: Visit, http: httpx.Client) -> None:
    page = visit.open("#/data")
    file = {"name": "Web Häuser (1).csv", "mimeType": "text/csv", "buffer": table()}
    page.get_by_label("Choose files").set_input_files(file)  # type: ignore[arg-type]
    expect(page.get_by_label("Name of the data set")).to_have_value("web-hauser-1")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="web-hauser-1")).to_be_visible()
    assert http.get("/v1/datasets/web-hauser-1").json()["rows"] == 60
    expect(page.get_by_role("img", name="Histogram of size, from 0 to 88.5")).to_be_visible()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.get_by_role("region", name="First rows").get_by_role("row")).to_have_count(21)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Rows 21 to 40 of 60")).to_be_visible()

    page.get_by_label("Type of zip").select_option("category")
    page.get_by_role("button", name="Save the types").click()
    expect(page.get_by_label("Version")).to_have_value("2")
    expect(page.get_by_label("Type of zip")).to_have_value("category")
    page.get_by_text("Correct this").click()
    page.get_by_label("Words for a missing value").fill("b")
    page.get_by_role("button", name="Read it anew, as version 3").click()
    expect(page.get_by_label("Version")).to_have_value("3")
    columns = {each["name"]: each for each in http.get("/v1/datasets/web-hauser-1").json()["columns"]}
    assert columns["zip"]["type"] == "category"
    assert columns["kind"]["missing"] == 30

    page.get_by_label("Version").select_option("1")
    expect(page).to_have_url(f"{visit.url}/#/data/web-hauser-1?version=1")
    expect(page.get_by_label("Type of zip")).to_have_count(0)  # only the newest version is corrected
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1, name="Data")).to_be_visible()
    assert http.get("/v1/datasets/web-hauser-1").status_code == 404


def test_what_cannot_be_uploaded_is_explained(visit: Visit, http: httpx.Client) -> None:
    http.put("/v1/datasets/web-taken", content=table()).raise_for_status()
    visit.expected = ["422"]
    page = visit.open("#/data")
    files = [
        {"name": "web-taken.csv", "mimeType": "text/csv", "buffer": table()},
        {"name": "web-broken.parquet", "mimeType": "", "buffer": b"PAR1 and no more PAR1"},
    ]
    page.get_by_label("Choose files").set_input_files(files)  # type: ignore[arg-type]
    expect(page.get_by_text("web-taken exists: this file becomes its version 2.")).to_be_visible()
    page.get_by_label("Name of the data set").first.fill("Not a name")
    expect(page.get_by_text("Lower case letters and digits")).to_be_visible()
    page.get_by_label("Name of the data set").first.fill("web-taken")
    page.get_by_role("button", name="Upload 2 files").click()
    expect(page.get_by_text("has this very content already: it stays at version 1.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Parquet")
    expect(page.get_by_label("Separator")).to_be_visible()
    page.goto(f"{visit.url}/#/data/web-none")
    visit.expected += ["404"]
    expect(page.get_by_role("heading", name="There is no data set of this name")).to_be_visible()


def test_a_dropped_file_is_sent_and_can_be_cancelled(visit: Visit, http: httpx.Client) -> None:
    page = visit.open("#/data")
    file = r"new File(['x,y\n1,2\n3,4'], 'web-dropped.csv')"
    files = f"() => {{ const all = new DataTransfer(); all.items.add({file}); return all; }}"
    page.route("**/v1/datasets/web-dropped", lambda _: None)  # as on a slow line
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": page.evaluate_handle(files)})
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Name of the data set")).to_have_value("web-dropped")
    page.unroute("**/v1/datasets/web-dropped")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="web-dropped")).to_be_visible()
    assert http.get("/v1/datasets/web-dropped").json()["version"] == 1


def test_the_pages_of_data_have_no_violations_of_accessibility(
    visit: Visit, http: httpx.Client, axe: Callable[[Page], list[dict[str, Any]]]
) -> None:
    http.put("/v1/datasets/web-axe", content=table()).raise_for_status()
    page = visit.open("#/data/web-axe")
    for size in (None, NARROW):
        if size:
            page.set_viewport_size(size)  # type: ignore[arg-type]
        for address in ("#/data", "#/data/web-axe", "#/train?dataset=web-axe&target=kind"):
            page.goto(f"{visit.url}/{address}")
            expect(page.locator("main").get_by_text("web-axe").first).to_be_visible()
            expect(page.locator(".spinner")).to_have_count(0)
            if "target" in address:
                expect(page.get_by_text("Ready to train")).to_be_visible()
            for _ in ("light", "dark") if EVERY_FORM else ("one",):
                assert axe(page) == [], address
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
                page.get_by_role("button", name="theme").click()


def test_the_distribution_of_a_column_counts_every_row(http: httpx.Client) -> None:
    lines = [f"{each / 7},{'xyz'[each % 3]},{each % 2 == 0}" for each in range(3000)]
    content = "\n".join(["number,word,flag", *lines]).encode()
    about = http.put("/v1/datasets/web-counted", content=content).json()
    number, word, flag = (each["distribution"] for each in about["columns"])
    assert number["kind"] == "bins"
    assert sum(number["counts"]) == 3000
    assert len(number["counts"]) <= 48
    assert number["start"] <= 0
    assert number["start"] + number["width"] * len(number["counts"]) > 2999 / 7
    full = number["counts"][1:-1]
    assert max(full) - min(full) <= 1  # evenly spread
    assert word == {"kind": "values", "values": ["x", "y", "z"], "counts": [1000] * 3, "others": 0}
    assert flag["kind"] == "values"
    assert sorted(flag["counts"]) == [1500, 1500]
    assert json.dumps(http.get("/v1/datasets/web-counted").json()["columns"][0]["distribution"]) == json.dumps(number)
