"""The pages of models and versions, walked through in a browser."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import train
from tests.api.test_damaged_store import flip, manifest_of
from tests.harness.server import ROOT, Server
from tests.web.accessibility import EVERY_FORM
from tests.web.conftest import NARROW, WIDE, Visit

HOSTILE = "town \"quoted\" <img src=x onerror='alert(1)'> $HOME `id` \\ \u202e{{7*7}} 🏡"
TOWNS = ["Hà Nội", 'O\'Hare "n" $(id)', "مدينة"]
COLUMNS = ["size", "rooms", "__proto__", "constructor", HOSTILE, "price"]
COMMANDS = {
    "curl": ["bash"],
    "Python": [sys.executable],
    "Python, httpx": [sys.executable],
    "JavaScript": ["node", "--input-type=module"],
}
TRAINED: dict[str, Any] = {"model": {"kind": "mlp", "hidden": [16]}, "training": {"epochs": 60, "seed": 1}}


# Not of the module: pytest-xdist may give a process the module's tests in two parts, and the server is that of the process.
@pytest.fixture(scope="session")
def houses(server: Server) -> str:
    """The model `web-houses` with two versions, the second of which is worse, trained on columns with hostile names."""
    rows = [
        [50 + 3 * i, 1 + i % 5, i % 7, i % 3 / 2, TOWNS[i % 3], 1000 * (50 + 3 * i) + 5000 * (i % 5)] for i in range(60)
    ]
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    with server.http_client() as http:
        http.put("/v1/datasets/web-houses", content=orjson.dumps(table)).raise_for_status()
        about: dict[str, Any] = {
            "data": {"kind": "dataset", "dataset": "web-houses", "target": "price", "features": COLUMNS[:-1]},
            "split": {"train": 0.7, "validation": 0.15, "test": 0.15},
            "loss": {"name": "MSELoss"},
            "optimizer": {"name": "Adam", "lr": 0.05},
        }
        train(http, "web-houses", **about, **TRAINED, notes="For <b>tests</b>.")
        train(http, "web-houses", **about, model={"kind": "mlp", "hidden": [24]}, training={"epochs": 0})
    return "web-houses"


def test_versions_are_compared_promoted_and_rolled_back(visit: Visit, houses: str, http: httpx.Client) -> None:
    page = visit.open("#/models")
    page.get_by_label("Find by name").fill("web-hou")
    expect(page.get_by_text("1 name has “web-hou” in it.")).to_be_visible()
    page.get_by_role("link", name=houses).click()
    versions = page.get_by_role("region", name="Versions")
    better = versions.get_by_role("row").filter(has=page.get_by_role("link", name="1", exact=True))
    expect(better.locator(".best")).to_have_count(3)  # each metric, whether high or low values are good
    expect(versions.locator(".best")).to_have_count(3)
    aliases = page.get_by_role("region", name="Aliases")
    for version in (1, 2):
        page.get_by_role("button", name=f"Promote … version {version}").click()
        said = "A new alias production" if version == 1 else "production moves from version 1 to version 2"
        expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text(said)
        page.get_by_role("dialog").get_by_role("button", name="Create it" if version == 1 else "Move it").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(aliases.get_by_role("link", name=f"version {version}")).to_be_visible()
    page.get_by_role("button", name="Roll back … production").click()
    expect(page.get_by_role("dialog")).to_contain_text("from version 2 to version 1")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(aliases.get_by_role("link", name="version 1")).to_be_visible()
    assert http.get(f"/v1/models/{houses}").json()["aliases"] == {"production": 1}
    page.get_by_role("button", name="History production").click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Compare version 1").check()
    page.get_by_label("Compare version 2").check()
    page.get_by_role("button", name="Compare 1 and 2").click()
    expect(page.get_by_role("row", name="/model/hidden/0 16 24")).to_be_visible()
    expect(page.get_by_text("The same in both.").first).to_be_visible()


def test_an_alias_that_somebody_else_moved_is_not_overwritten(visit: Visit, http: httpx.Client) -> None:
    visit.expected = ["412", "409"]
    for seed in (1, 2):
        train(http, "web-race", training={"epochs": 0, "seed": seed})
    alias = "/v1/models/web-race/aliases/canary"
    http.put(alias, json={"version": 1}).raise_for_status()
    page = visit.open("#/models/web-race")
    page.get_by_role("button", name="Move … canary").click()
    page.get_by_label("Version", exact=True).fill("2")
    expect(page.get_by_text("canary moves from version 1 to version 2.")).to_be_visible()
    for version in (2, 1):  # elsewhere, and back
        http.put(alias, json={"version": version}).raise_for_status()
    page.get_by_role("button", name="Move it").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Somebody else has moved it")
    assert http.get(alias).json()["version"] == 1
    page.get_by_role("button", name="Move it").click()  # with what is there now
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert http.get(alias).json()["version"] == 2
    page.get_by_role("button", name="Delete … version 2").click()
    page.get_by_role("button", name="Delete the version").click()
    expect(page.get_by_text("Move or delete the alias that points at it first.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete …", exact=True).click()
    expect(page.get_by_role("button", name="Delete the model")).to_be_disabled()
    page.get_by_label("To confirm, type web-race").fill("web-race")
    page.get_by_role("button", name="Delete the model").click()
    expect(page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    assert http.get("/v1/models/web-race").status_code == 404


def test_a_version_predicts_while_one_types(visit: Visit, houses: str, http: httpx.Client, tmp_path: Path) -> None:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.open(f"#/models/{houses}/1?tab=try")
    prediction = page.locator(".predicted strong")
    expect(prediction).to_be_visible()  # of the values that the form begins with
    page.get_by_label("size", exact=True).fill("77.5")
    page.get_by_label("__proto__", exact=True).fill("3")
    page.get_by_label("constructor", exact=True).fill("")
    page.get_by_label(HOSTILE).select_option(TOWNS[1])
    expect(page.get_by_text("Outside of the training")).to_have_count(0)
    page.get_by_label("rooms", exact=True).fill("2x")
    expect(page.get_by_text("Type a number, such as 3.5")).to_be_visible()
    page.get_by_label("rooms", exact=True).fill("99")
    expect(page.get_by_text("Outside of the training")).to_be_visible()
    instance = {"size": 77.5, "rooms": 99, "__proto__": 3, "constructor": None, HOSTILE: TOWNS[1]}
    answer = http.post(f"/v1/models/{houses}/versions/1/predictions", json={"instances": [instance]}).json()
    expect(prediction).to_have_text(f"{answer['predictions'][0]:,.6g}")
    explained = http.post(f"/v1/models/{houses}/versions/1:explain", json={"instances": [instance]}).json()
    added = explained["attributions"][0]
    figures = page.locator(".added tr")
    expect(figures).to_have_count(len(added))
    for name in ("size", "rooms"):
        figure = f"{float(f'{added[name]:.4g}'):+,}".removesuffix(".0")
        expect(figures.filter(has_text=name).locator(".number")).to_have_text(figure)
    for language, command in COMMANDS.items():
        if shutil.which(command[0]) is None:
            continue
        page.get_by_role("group", name="Language").get_by_role("button", name=language, exact=True).click()
        code = page.get_by_label(f"The same request in {language}")
        expect(code).to_contain_text("predictions")
        text = code.inner_text()
        assert "\u202e" not in text
        output = run(command, text, tmp_path)
        assert str(answer["predictions"][0])[:7] in output, (language, text, output)
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == text


def run(command: list[str], text: str, folder: Path) -> str:
    """What a program prints that is given on the standard input. The folder is its current one."""
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*", "PYTHONPATH": str(ROOT)}
    return subprocess.run(  # noqa: S603 - what the page shows
        command, input=text, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_tensors_files_and_origin_of_a_version(visit: Visit, houses: str, http: httpx.Client, tmp_path: Path) -> None:
    visit.expected = ["422"]
    page = visit.open(f"#/models/{houses}/2")
    expect(page.get_by_text("No better than the baseline")).to_be_visible()
    page.get_by_role("tab", name="Parameters").click()
    expect(page.get_by_role("img", name="Histogram of 0.weight")).to_be_visible()
    tensor = http.get(f"/v1/models/{houses}/versions/2/state_dict?name=0.weight").json()["0.weight"]
    values = page.get_by_role("region", name="Values of 0.weight")
    expect(values.locator("tbody tr").first.locator("td").first).to_have_text(f"{tensor[0][0]:.4g}")
    page.get_by_role("button", name="Later rows").click()
    expect(values.locator("tbody tr").first.locator("td").first).to_have_text(f"{tensor[20][0]:.4g}")
    page.get_by_role("link", name="2.bias").click()
    expect(page.get_by_role("region", name="Values of 2.bias").locator("td")).to_have_count(1)
    page.get_by_role("tab", name="Lineage").click()
    expect(page.get_by_role("link", name="data set web-houses, version 1")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 400})  # only plots that are seen are drawn
    page.get_by_role("tab", name="Plots").click()
    expect(page.get_by_role("img", name=f"Predictions and truth of {houses}, version 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Learning curve")).to_be_visible()
    page.get_by_role("tab", name="Downloads").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download Bundle").click()
    assert download.value.suggested_filename == f"{houses}-2.zip"
    bundle = tmp_path / "copy-of-houses-2.zip"
    download.value.save_as(bundle)
    page.get_by_role("link", name="Models").first.click()
    page.get_by_role("button", name="Import a bundle").click()
    page.get_by_label("Choose a bundle").set_input_files(bundle)
    expect(page.get_by_label("Name of the model")).to_have_value("copy-of-houses")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("link", name="copy-of-houses, version 1")).to_be_visible()
    page.get_by_label("Choose a bundle").set_input_files(
        {"name": "no.zip", "mimeType": "application/zip", "buffer": b"PK no bundle"}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Nothing was stored.")).to_be_visible()
    digests = [http.get(f"/v1/models/{each}").json()["latest"] for each in ("copy-of-houses", houses)]
    assert digests == [1, 2]


def test_pages_of_models_have_no_violations_of_accessibility(
    visit: Visit, houses: str, axe: Callable[[Page], list[dict[str, Any]]]
) -> None:
    """Some pages, each in one form; with AXE=all, as in scripts/nightly, every page in every form."""
    shown = [("", 0), ("/2", 1), ("/2?tab=try", 2), ("/2?tab=parameters", 3)]
    if EVERY_FORM:
        others = ("/compare?a=1&b=2", "/2?tab=plots", "/2?tab=lineage", "/2?tab=downloads")
        shown = [(each, form) for each in (*(each for each, _ in shown), *others) for form in range(4)]
    page = visit.open("#/models")
    for address, form in shown:
        page.set_viewport_size(NARROW if form % 2 == 0 else WIDE)  # type: ignore[arg-type]
        page.goto(f"{visit.url}/#/models/{houses}{address}")
        if (form < 2) is not (page.evaluate("document.documentElement.dataset.theme") == "dark"):
            page.get_by_role("button", name="theme").click()
        expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.locator(".spinner")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        assert axe(page) == [], (address, form)


def test_what_is_not_there_or_damaged_is_said(visit: Visit, server: Server, http: httpx.Client) -> None:
    visit.expected = ["404", "503"]
    page = visit.open("#/models/web-no-such-model")
    expect(page.get_by_role("alert")).to_contain_text("web-no-such-model")
    for seed in (1, 2):
        train(http, "web-damaged", training={"epochs": 0, "seed": seed})
    page.goto(f"{visit.url}/#/models/web-damaged")
    page.get_by_role("button", name="Retention …").click()
    page.get_by_label("Keep the last").fill("1")
    expect(page.get_by_role("button", name="Set the rule")).to_be_disabled()  # before its effect was shown
    page.get_by_role("button", name="Show what would go").click()
    expect(page.get_by_text("Would be deleted within ten minutes: version 1.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    manifest = manifest_of(http, server.home / "store/models/web-damaged", 2)
    flip(manifest, b'"bias":0.')
    page.reload()
    expect(page.get_by_role("region", name="Versions").get_by_text("damaged", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Versions").get_by_role("link", name="1", exact=True)).to_be_visible()
    page.goto(f"{visit.url}/#/models/web-damaged/2")
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(f"{visit.url}/#/models/web-damaged")
    page.get_by_role("button", name="Delete … version 2").click()
    page.get_by_role("button", name="Delete the version").click()
    expect(page.get_by_role("region", name="Versions").get_by_role("row")).to_have_count(2)
