"""Pages of other sites in a real browser, and /docs with keys, also under a path behind a proxy."""

import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.conftest import train
from tests.api.keyed import KeyedServer
from tests.harness.server import ROOT

PATIENCE = 60_000  # milliseconds, for a machine whose cores are all busy
# Runs in the page. The status, the body and a header of the response, or the error that the browser makes of it.
CALL = """async ([url, init]) => {
  try {
    const response = await fetch(url, init);
    return [response.status, await response.json(), response.headers.get("model-version")];
  } catch (error) { return [0, String(error), null]; }
}"""
IMAGE = """([url, crossorigin]) => new Promise((resolve) => {
  const image = new Image();
  if (crossorigin) image.crossOrigin = "anonymous";
  image.onload = () => resolve(true); image.onerror = () => resolve(false);
  image.src = url;
})"""


class ExamplePage(SimpleHTTPRequestHandler):
    """Serves examples/browser."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, directory=str(ROOT / "examples" / "browser"), **named)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[str, str]]:
    """The origins of two other sites."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), ExamplePage) for _ in range(2)]
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    first, second = (f"http://127.0.0.1:{each.server_port}" for each in servers)
    yield first, second
    for each in servers:
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="module")
def service(sites: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A service with keys that names the first site, under a path."""
    home = tmp_path_factory.mktemp("sites") / "home"
    with KeyedServer(home, allowed_origins=sites[0], root_path="/mw") as started:
        with started.as_("train") as http:
            train(http, "line", training={"epochs": 0})
        yield started


def page_of(browser: Browser, url: str) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    return page


def ask(page: Page, service: KeyedServer, key: str | None = "predict") -> list[Any]:
    headers = {"Content-Type": "application/json", "Request-Timeout": "20"}
    if key is not None:
        headers["Authorization"] = f"Bearer {service.keys[key]}"
    init = {"method": "POST", "headers": headers, "body": json.dumps({"instances": [1]})}
    found: list[Any] = page.evaluate(CALL, [f"{service.url}/v1/models/line/predictions", init])
    return found


def test_a_page_of_a_named_site_predicts(browser: Browser, service: KeyedServer, sites: tuple[str, str]) -> None:
    page = page_of(browser, sites[0])
    status, body, version = ask(page, service)
    assert (status, body["model_name"], version) == (200, "line", "1")
    status, problem, _ = ask(page, service, key=None)
    assert (status, problem["code"]) == (401, "unauthorized")  # and the page can tell its user
    page.context.close()


def test_the_example_asks_from_a_page(browser: Browser, service: KeyedServer, sites: tuple[str, str]) -> None:
    page, output = page_of(browser, sites[0]), "output"
    page.get_by_label("Service").fill(f"{service.url}/mw/")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(output)).to_contain_text("unauthorized")
    page.get_by_label("Key").fill(service.keys["predict"])
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(output)).to_contain_text("(version 1)")
    page.get_by_label("Row").fill("{")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(output)).to_contain_text("The row is not JSON")
    page.context.close()
    page = page_of(browser, sites[1])
    page.get_by_label("Service").fill(service.url)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(output)).to_contain_text(f"does not name {sites[1]}")
    page.context.close()


def test_a_page_of_another_site_reads_nothing(browser: Browser, service: KeyedServer, sites: tuple[str, str]) -> None:
    page = page_of(browser, sites[1])
    assert ask(page, service) == [0, "TypeError: Failed to fetch", None]
    page.context.close()


def test_an_image_needs_crossorigin(browser: Browser, service: KeyedServer, sites: tuple[str, str]) -> None:
    image = f"{service.url}/static-offline-docs/favicon.png"
    for site, crossorigin, shown in ((sites[0], True, True), (sites[0], False, False), (sites[1], True, False)):
        page = page_of(browser, site)
        assert page.evaluate(IMAGE, [image, crossorigin]) == shown
        page.context.close()


@pytest.mark.parametrize("root", ["", "/mw"])
def test_the_documentation_sends_the_key_that_is_entered(browser: Browser, service: KeyedServer, root: str) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("console", lambda each: errors.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{service.url}{root}/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator("input[type=text]").first.fill(service.keys["predict"])
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Close").click()
    operation = page.locator("#operations-models-index_v1_models_get")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(operation.locator(".request-url")).to_contain_text(f"{service.url}/mw/v1/models")
    expect(operation.locator(".live-responses-table")).to_contain_text('"line"')
    assert errors == []
    page.context.close()
