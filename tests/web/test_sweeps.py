"""The pages of sweeps: the list, one that goes on, its trials, and its end."""

from typing import Any

import httpx
from playwright.sync_api import expect

from tests.harness.line import line
from tests.harness.until import until
from tests.web.accessibility import Axe, check_axe
from tests.web.conftest import Visit

SWEEP: dict[str, Any] = {
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "shuffle": False},
    "search": {"optimizer.lr": {"log": [0.001, 0.1]}, "loss.name": {"choice": ["L1Loss", "MSELoss"]}},
    "trials": 8,
}


def test_a_sweep_is_shown_with_its_trials_and_its_best(visit: Visit, http: httpx.Client, axe: Axe) -> None:
    made = http.post("/v1/sweeps", json=line(5, name="sought", **SWEEP)).raise_for_status().json()
    ended = until(lambda: (found := http.get(f"/v1/sweeps/{made['id']}").json())["finished_at"] and found, 120)
    page = visit.open("#/sweeps")
    row = page.get_by_role("row", name="sought").first
    expect(row.get_by_text("8 of 8")).to_be_visible()
    row.get_by_role("link", name="sought").click()
    expect(page.get_by_role("link", name="sought version 1")).to_be_visible()
    for label in ("what each trial came to", "the settings of each trial", "how much each setting decides"):
        expect(page.get_by_role("img", name=label)).to_be_visible(timeout=60_000)
    check_axe(page, axe)
    page.get_by_role("link", name=f"Trial {ended['best']['number']}, the best").click()
    expect(page.get_by_role("heading", name="Result: trial")).to_be_visible()
    page.get_by_role("link", name="its sweep").click()
    expect(page.get_by_role("heading", name="Sweep of sought")).to_be_visible()
    visit.check()


def test_a_sweep_that_goes_on_is_paused_and_cancelled(visit: Visit, http: httpx.Client) -> None:
    made = http.post("/v1/sweeps", json=line(10_000_000, name="goes-on", **SWEEP)).raise_for_status().json()
    page = visit.open(f"#/sweeps/{made['id']}")
    status = page.get_by_role("region", name="Progress").get_by_role("status")
    page.get_by_role("button", name="Pause").click()
    expect(status).to_contain_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_contain_text("running")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the sweep").click()
    expect(status).to_contain_text("cancelled")
    visit.check()
