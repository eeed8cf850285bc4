"""What axe-core finds on a page, in each of its forms: with AXE=all, as in scripts/nightly, in all of them."""

import os
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.web.conftest import NARROW

EVERY_FORM = os.environ.get("AXE") == "all"
Axe = Callable[[Page], list[dict[str, Any]]]


def check_axe(page: Page, axe: Axe) -> None:
    """Asserts that the page has no violation, dark and narrow, and that it is no wider than the window; with AXE=all also
    light and wide."""
    size = page.viewport_size
    if EVERY_FORM:
        assert axe(page) == []
    page.get_by_role("button", name="theme").click()
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="theme").click()
    page.set_viewport_size(size)  # type: ignore[arg-type]
