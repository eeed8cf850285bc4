"""What axe-core finds on a page, in each of its forms."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.web.conftest import NARROW

Axe = Callable[[Page], list[dict[str, Any]]]


def check_axe(page: Page, axe: Axe) -> None:
    """Asserts that the page has no violation: light and wide, dark and narrow; and that it is no wider than the window."""
    size = page.viewport_size
    assert axe(page) == []
    page.get_by_role("button", name="theme").click()
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="theme").click()
    page.set_viewport_size(size)  # type: ignore[arg-type]
