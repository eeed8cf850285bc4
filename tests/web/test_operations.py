"""The page for who runs the service: activity, keys, the audit log, versions and settings."""

from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

from service import __version__
from tests.harness.line import line
from tests.harness.server import Server
from tests.harness.until import until
from tests.web.accessibility import Axe, check_axe
from tests.web.conftest import WIDE, Visit


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def new_key(page: Page, name: str, scope: str) -> str:
    """Creates a key by the page; its secret."""
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Scope").select_option(scope)
    page.get_by_role("button", name="Create the key").click()
    secret = page.get_by_label("The secret").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    return secret


def test_an_operator_looks_after_the_service(browser: Browser, axe: Axe, tmp_path: Path) -> None:
    with Server(tmp_path / "home", slots=1) as server:
        visit = Visit(browser.new_context(viewport=WIDE), server.url)  # type: ignore[arg-type]
        visit.expected = ["401", "403", "422", "ERR_", "Failed to load resource"]
        job_id = server.http.post("/v1/training-jobs", json=line(3)).json()["id"]
        until(lambda: server.http.get(f"/v1/training-jobs/{job_id}?wait=30").json()["status"] == "succeeded")
        server.http.post("/v1/models/line/predictions", json={"instances": [0.5]}).raise_for_status()

        page = visit.open("#/operations")
        expect(page.get_by_role("img", name="Requests a second")).to_be_visible()
        warm = page.get_by_role("region", name="List of the models in memory")
        expect(warm.get_by_role("row", name="line@1")).to_contain_text("kB")
        expect(page.get_by_role("region", name="Trainings").get_by_role("row", name="succeeded")).to_contain_text("1")
        check_axe(page, axe)
        tab(page, "Versions and settings")
        expect(page.get_by_role("region", name="Versions").get_by_role("row", name="modelwright")).to_contain_text(
            __version__
        )
        expect(page.get_by_role("region", name="Settings").get_by_role("row", name="slots")).to_contain_text("1")
        check_axe(page, axe)

        tab(page, "Keys")
        expect(page.get_by_text("There are no keys")).to_be_visible()
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Name").fill("Not A Name")
        page.get_by_role("button", name="Create the key").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        page.keyboard.press("Escape")
        chief = new_key(page, "chief", "admin")
        expect(page.get_by_role("row", name="chief")).to_contain_text("this tab's")  # which goes on with it
        reader = new_key(page, "reader", "predict")
        assert chief not in page.content() and reader not in page.content()
        check_axe(page, axe)

        limited = visit.open("#/operations?tab=keys")
        limited.get_by_label("API key").fill(reader)
        limited.get_by_role("button", name="Use this key").click()
        expect(limited.get_by_text("This needs a key with the scope admin")).to_be_visible()
        tab(limited, "Activity")
        expect(limited.get_by_role("img", name="Requests a second")).to_be_visible()
        check_two_keys_see_their_own_events(visit, server, page, chief)

        page.goto(f"{visit.url}/#/operations?tab=keys")
        page.get_by_role("button", name="Revoke reader").click()
        page.get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("row", name="reader")).to_be_hidden()
        expect(limited.get_by_role("dialog")).to_be_visible()  # it asks for another one
        page.get_by_label("Also revoked and expired keys").check()
        expect(page.get_by_role("row", name="reader")).to_contain_text("revoked")
        tab(page, "Audit log")
        log = page.get_by_role("region", name="Audit log")
        expect(log.get_by_role("row", name="key.revoked")).to_contain_text("chief")
        refused = log.get_by_role("row", name="422")
        expect(refused).to_be_hidden()
        page.get_by_label("Also attempts that changed nothing").check()
        expect(refused).to_be_visible()
        check_axe(page, axe)
        page.get_by_label("From").fill("2999-01-01")
        expect(page.get_by_text("Nothing has been changed since then")).to_be_visible()
        visit.check()
        visit.context.close()


def epoch_of(page: Page) -> Locator:
    """The epoch that the page of a job shows."""
    return page.get_by_role("region", name="Progress").locator("dd").first


def check_two_keys_see_their_own_events(visit: Visit, server: Server, page: Page, chief: str) -> None:
    """Tabs with different keys read streams of their own: neither is shown what only the other may see. They go on when the
    service was killed and is back."""
    headers = {"Authorization": f"Bearer {chief}"}
    trainer: dict[str, Any] = server.http.post(
        "/v1/keys", json={"name": "trainer", "scopes": ["train"]}, headers=headers
    ).json()
    endless = line(10_000_000, name="endless")
    job_id = server.http.post("/v1/training-jobs", json=endless, headers=headers).json()["id"]
    page.goto(f"{visit.url}/#/jobs/{job_id}")
    other = visit.open(f"#/jobs/{job_id}")
    other.get_by_label("API key").fill(trainer["key"])
    other.get_by_role("button", name="Use this key").click()
    for each in (page, other):
        expect(each.get_by_role("img", name="Loss by epoch")).to_be_visible()
        shown = epoch_of(each).inner_text()
        expect(epoch_of(each)).not_to_have_text(shown)
    metrics = server.http.get("/metrics", headers=headers).text
    assert "modelwright_event_streams 2" in metrics
    other.close()

    port = httpx.URL(server.url).port  # a stream that was cut is opened again, and the job goes on
    server.kill()
    server.options = (*server.options, "--port", str(port))
    server.start()
    expect(page.get_by_role("log")).to_contain_text("Running, attempt 2")
    shown = epoch_of(page).inner_text()
    expect(epoch_of(page)).not_to_have_text(shown)
    server.http.post(f"/v1/training-jobs/{job_id}/cancel", headers=headers).raise_for_status()
