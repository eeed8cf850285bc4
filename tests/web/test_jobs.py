"""The pages of training jobs: the list, a job that is live in several tabs, its end, and its failure."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.harness.line import line
from tests.harness.until import until
from tests.web.accessibility import Axe, check_axe
from tests.web.conftest import Visit

VALIDATED = {"split": {"train": 0.6, "validation": 0.2, "test": 0.2, "shuffle": False}}
LONG = 10_000_000  # epochs, of a training that no test waits for
STREAM_COUNT = re.compile(r"^modelwright_event_streams (\d+)", re.MULTILINE)


def submit(http: httpx.Client, spec: dict[str, Any]) -> str:
    answer = http.post("/v1/training-jobs", json=spec)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def ended(http: httpx.Client, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = until(
        lambda: (job := http.get(f"/v1/training-jobs/{job_id}?wait=30").json())["finished_at"] and job
    )
    return job


def epoch(page: Page) -> Locator:
    return page.get_by_role("region", name="Progress").locator("dd").first


def streams(http: httpx.Client) -> int:
    found = STREAM_COUNT.search(http.get("/metrics").text)
    return int(found[1]) if found else -1


@pytest.fixture
def running(http: httpx.Client) -> Any:
    """A training that goes on until the test has ended."""
    job_id = submit(http, line(LONG, name="goes-on", **VALIDATED))
    yield job_id
    http.post(f"/v1/training-jobs/{job_id}/cancel")
    ended(http, job_id)


def test_a_job_is_live_and_can_be_paused_resumed_and_cancelled(
    visit: Visit, http: httpx.Client, running: str, axe: Axe
) -> None:
    page = visit.open("#/jobs")
    row = page.get_by_role("row", name="goes-on").first
    expect(row.get_by_text("running")).to_be_visible()
    row.get_by_role("link", name="goes-on").click()
    curve = page.get_by_role("img", name="Loss by epoch")
    expect(curve).to_be_visible()
    shown, drawn = epoch(page).inner_text(), curve.get_attribute("aria-label")
    expect(epoch(page)).not_to_have_text(shown)  # by itself
    expect(curve).not_to_have_attribute("aria-label", drawn or "")
    page.get_by_label("Logarithmic scale").check()
    assert "log=1" in page.url
    check_axe(page, axe)

    status = page.get_by_role("region", name="Progress").get_by_role("status")
    page.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_have_text("running")
    expect(page.get_by_role("log")).to_contain_text("Running, attempt 2")
    page.get_by_role("tab", name="Attempts").click()
    expect(page.get_by_role("region", name="Attempts").get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True).click()  # after all not
    assert http.get(f"/v1/training-jobs/{running}").json()["status"] == "running"
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(status).to_have_text("cancelled")
    expect(page.get_by_role("heading", name="Training of goes-on")).to_be_focused()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()


def test_tabs_share_one_stream_and_go_on_without_the_tab_that_reads_it(
    visit: Visit, http: httpx.Client, running: str
) -> None:
    tabs = [visit.open(f"#/jobs/{running}") for _ in range(3)]
    for tab in tabs:
        expect(tab.get_by_role("img", name="Loss by epoch")).to_be_visible()
    until(lambda: streams(http) == 1)
    tabs.pop(0).close()  # it was the first that could read
    for tab in tabs:
        shown = epoch(tab).inner_text()
        expect(epoch(tab)).not_to_have_text(shown)
    until(lambda: streams(http) == 1)
    tabs[0].goto(f"{visit.url}/#/")
    tabs[1].goto(f"{visit.url}/#/")
    until(lambda: streams(http) == 0)  # a job that no tab shows is not followed


def test_without_locks_each_tab_in_view_reads_its_own_stream(visit: Visit, http: httpx.Client, running: str) -> None:
    """As in a page over plain HTTP from another machine."""
    visit.context.add_init_script("delete Navigator.prototype.locks")
    page = visit.open(f"#/jobs/{running}")
    expect(page.get_by_role("img", name="Loss by epoch")).to_be_visible()
    assert page.evaluate("'locks' in navigator") is False
    other = visit.open(f"#/jobs/{running}")
    expect(other.get_by_role("img", name="Loss by epoch")).to_be_visible()
    until(lambda: streams(http) == 2)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    until(lambda: streams(http) == 1)
    page.evaluate(hide, False)
    until(lambda: streams(http) == 2)
    shown = epoch(page).inner_text()
    expect(epoch(page)).not_to_have_text(shown)


def test_what_became_of_a_job(visit: Visit, http: httpx.Client, axe: Axe) -> None:
    made = submit(http, line(60, name="came-to-an-end", **VALIDATED, notes="<img src=x onerror=alert(1)> {{7*7}}"))
    steep = {"loss": {"name": "MSELoss"}, "optimizer": {"name": "SGD", "lr": 1e30}}
    failed = submit(http, line(60, name="went-astray", **VALIDATED, **steep))
    ended(http, made), ended(http, failed)

    page = visit.open(f"#/jobs/{made}?tab=spec")
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_role("link", name="came-to-an-end version 1")).to_have_attribute(
        "href", "#/models/came-to-an-end/1"
    )
    expect(result.get_by_role("row", name="Mean absolute error")).to_be_visible()
    expect(result.get_by_role("columnheader", name="Baseline")).to_be_visible()
    expect(page.get_by_text("Smallest validation loss")).to_be_visible()
    expect(page.get_by_label("The spec as JSON")).to_contain_text('"epochs": 60')
    expect(page.get_by_text("<img src=x onerror=alert(1)> {{7*7}}")).to_be_visible()
    expect(page.get_by_role("link", name="Train again with changes").first).to_have_attribute(
        "href", f"#/train?job={made}"
    )
    check_axe(page, axe)

    page.goto(f"{visit.url}/#/jobs?model_name=went-astray")
    row = page.get_by_role("row", name="went-astray")
    expect(row).to_contain_text("The loss became infinite")
    check_axe(page, axe)
    page.get_by_role("navigation", name="Status").get_by_role("link", name="succeeded").click()
    expect(page.get_by_text("No job is like that")).to_be_visible()
    page.goto(f"{visit.url}/#/jobs/{failed}")
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("smaller learning rate")
    visit.expected = ["404"]
    page.goto(f"{visit.url}/#/jobs/nothing")
    expect(page.get_by_role("heading", name="There is no such job")).to_be_visible()


@pytest.mark.usefixtures("running")  # so that these wait
def test_the_list_is_paged_by_its_address(visit: Visit, http: httpx.Client) -> None:
    ids = [submit(http, line(0, name="many-of-them")) for _ in range(52)]
    page = visit.open("#/jobs?model_name=many-of-them")
    links = page.get_by_role("region", name="Training jobs").get_by_role("rowheader").get_by_role("link")
    expect(links).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(links).to_have_count(2)
    expect(links.last).to_have_attribute("href", f"#/jobs/{ids[0]}")
    page.reload()
    expect(links).to_have_count(2)
    page.get_by_role("link", name="Newest").click()
    expect(links).to_have_count(50)
    page.get_by_role("searchbox", name="Model").fill("none-of-them")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job is like that")).to_be_visible()
    for job_id in ids:
        http.post(f"/v1/training-jobs/{job_id}/cancel")
