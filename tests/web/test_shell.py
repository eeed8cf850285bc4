"""The frame of the dashboard: its files, its policy, the key, the theme, a service that is away."""

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import Response as PageResponse

from tests.harness.server import ROOT, Server
from tests.web.conftest import NARROW, Visit

VENDOR = ROOT / "service" / "web" / "vendor"
MOST_BYTES = 100_000  # of the first paint, in gzip
MOST_OWN_BYTES = 60_000


def test_files_are_sent_compressed_and_only_once(http: httpx.Client) -> None:
    plain = http.get("/", headers={"Accept-Encoding": "identity"})
    assert plain.headers["Content-Type"].startswith("text/html")
    assert "Content-Encoding" not in plain.headers
    script = http.get("/web/core/api.js")
    assert script.headers["Content-Encoding"] == "gzip"
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert http.get("/web/core/api.js", headers={"If-None-Match": script.headers["ETag"]}).status_code == 304
    refused = http.get("/web/core/api.js", headers={"Accept-Encoding": "br, gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    assert refused.content == script.content


@pytest.mark.parametrize(
    "path", ["/web/", "/web/none.js", "/web/core/../../app.py", "/web/core/%2e%2e%2fapp.js", "/web/vendor/SHA256SUMS"]
)
def test_other_files_are_not_served(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_vendored_files_have_their_digests() -> None:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split() for line in lines)}
    there = {each.name for each in VENDOR.iterdir()} - {"SHA256SUMS"}
    assert recorded == {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in there}


def test_vendored_files_are_made_from_their_releases(tmp_path: Path) -> None:
    if shutil.which("npm") is None or not (ROOT / ".web-tools" / ".installed").exists():
        pytest.skip("the tools of the dashboard are not installed: scripts/install-web-tools")
    subprocess.run([ROOT / "scripts" / "vendor-web", tmp_path], check=True, capture_output=True)  # noqa: S603
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (VENDOR / made.name).read_bytes(), made.name


def test_the_first_paint_is_small(visit: Visit) -> None:
    sizes: dict[str, int] = {}

    def measure(response: PageResponse) -> None:
        if "/v1/" not in response.url:
            sizes.setdefault(response.url.removeprefix(visit.url), len(gzip.compress(response.body())))

    visit.context.on("response", measure)
    page = visit.open()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.wait_for_load_state("networkidle")
    own = {path: size for path, size in sizes.items() if "/vendor/" not in path}
    assert len(own) > 5
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert sum(own.values()) <= MOST_OWN_BYTES, own


def test_every_page_has_a_place_in_the_navigation(visit: Visit) -> None:
    page = visit.open()
    for name in ("Data", "Train", "Jobs", "Models", "Operations", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        expect(page).to_have_title(f"{name} · Modelwright")
    page.goto(f"{visit.url}/#/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


@pytest.mark.parametrize("narrow", [False, True])
def test_the_frame_has_no_violations_of_accessibility(
    visit: Visit, axe: Callable[[Page], list[dict[str, Any]]], narrow: bool
) -> None:
    page = visit.open()
    if narrow:
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.wait_for_load_state("networkidle")
    for _ in ("light", "dark"):
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="theme").click()


def test_the_theme_is_kept(visit: Visit) -> None:
    page = visit.open()
    page.get_by_role("button", name="Use the dark theme").click()
    page.reload()
    expect(page.get_by_role("button", name="Use the light theme")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_key_is_asked_for_and_kept_for_the_tab_only(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path / "home", slots=1) as server:
        secret = server.http.post("/v1/keys", json={"name": "page", "scopes": ["admin"]}).json()["key"]
        visit = Visit(browser.new_context(), server.url)
        visit.expected = ["401"]
        page = visit.open()
        page.get_by_label("API key").fill("mw_wrong")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_role("dialog").locator(".failure")).to_be_visible()
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("No file at hand?")).to_be_visible()
        page.reload()
        expect(page.get_by_text("No file at hand?")).to_be_visible()
        assert secret not in page.content()
        assert secret not in str(page.evaluate("JSON.stringify(localStorage) + document.cookie + location"))
        expect(visit.open().get_by_role("dialog")).to_be_visible()  # another tab asks again
        visit.check()
        visit.context.close()


def test_the_page_waits_for_a_service_that_is_away(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path / "home", slots=1) as server:
        port = httpx.URL(server.url).port
        visit = Visit(browser.new_context(), server.url)
        visit.expected = ["ERR_CONNECTION", "Failed to load resource"]
        page = visit.open()
        expect(page.get_by_text("No file at hand?")).to_be_visible()
        server.kill()
        expect(page.get_by_text("The service does not answer")).to_be_visible()
        server.options = (*server.options, "--port", str(port))
        server.start()
        expect(page.get_by_text("The service does not answer")).to_be_hidden()
        visit.check()
        visit.context.close()
