"""A real browser, Debian's chromium, on a real service."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.harness.server import ROOT, Server

AXE = ROOT / ".web-tools" / "node_modules" / "axe-core" / "axe.min.js"
OPTIONS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",  # nothing but the loopback is asked
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 60_000  # milliseconds, for a machine whose cores are all busy
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

expect.set_options(timeout=PATIENCE)

# Reports every violation of the content security policy, from the first script on.
WATCH = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""


# Not of the session: while playwright runs, its event loop runs in this thread, where tests of other files need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Where there is none, its tests are skipped, or fail with BROWSER_TESTS=required."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("there is no chromium (on Debian: apt-get install chromium)")
        pytest.skip("there is no chromium (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        yield started
        started.close()


class Visit:
    """A browser with its tabs on one service. At the end it must have seen no error, no violation of the policy, and no request
    to another origin.

    Args:
        context: of the browser; tabs share it, as the tabs of a user's browser do.
        url: the address of the service.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.expected: list[str] = []  # parts of errors that a test provokes
        context.set_default_timeout(PATIENCE)
        context.add_init_script(WATCH)
        context.on("console", lambda each: self.errors.append(each.text) if each.type == "error" else None)
        context.on("weberror", lambda each: self.errors.append(str(each.error)))
        context.on("request", lambda each: None if self._ours(each.url) else self.foreign.append(each.url))

    def _ours(self, url: str) -> bool:
        return url.startswith((self.url, "blob:", "data:", "about:"))

    def open(self, address: str = "#/") -> Page:
        """A new tab at that hash."""
        page = self.context.new_page()
        page.goto(f"{self.url}/{address}")
        return page

    def check(self) -> None:
        """Fails unless all was well."""
        unexpected = [each for each in self.errors if not any(part in each for part in self.expected)]
        assert unexpected == []
        assert self.foreign == []


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of the shared service."""
    with server.http_client() as made:
        yield made


@contextmanager
def visiting(browser: Browser, url: str) -> Iterator[Visit]:
    """A browser on a service, in a wide window."""
    context = browser.new_context(viewport=WIDE, locale="en-GB")  # type: ignore[arg-type]
    made = Visit(context, url)
    yield made
    context.close()
    made.check()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A browser on the shared service."""
    with visiting(browser, server.url) as made:
        yield made


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[dict[str, Any]]]:
    """Runs axe-core (https://github.com/dequelabs/axe-core) in a page; what it finds wrong. Where it is not installed, its
    tests are skipped, or fail with BROWSER_TESTS=required."""
    if not AXE.exists():
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("axe-core is not installed: scripts/install-web-tools")
        pytest.skip("axe-core is not installed: scripts/install-web-tools")
    source = Path(AXE).read_text()

    def run(page: Page) -> list[dict[str, Any]]:
        page.evaluate(source)  # by the debugger's protocol, which the policy of the page does not bind
        found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            {"rule": each["id"], "at": [node["target"] for node in each["nodes"]], "help": each["help"]}
            for each in found["violations"]
        ]

    return run
