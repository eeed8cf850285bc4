"""The tab “In use” of a version: drift of what it predicts, and live metrics from feedback."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.conftest import train
from tests.harness.server import Server
from tests.harness.until import until
from tests.web.conftest import NARROW, Visit, visiting


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps all predictions, with a model of numbers."""
    with Server(tmp_path_factory.mktemp("in-use") / "home", spare=False, prediction_log=1) as started:
        records = [{"x": at % 50, "z": at % 7, "y": 2.0 * (at % 50) + at % 7} for at in range(400)]
        data = {"kind": "rows", "records": records, "target": "y"}
        train(started.http, "used", data=data, model={"kind": "mlp", "hidden": [8]}, loss=None, training={"epochs": 20})
        yield started


@pytest.fixture
def visit(browser: Browser, logging: Server) -> Iterator[Visit]:
    """A browser on that server."""
    with visiting(browser, logging.url) as made:
        yield made


def test_drift_and_live_metrics_are_shown(
    visit: Visit, logging: Server, axe: Callable[[Page], list[dict[str, Any]]]
) -> None:
    page = visit.open("#/models/used/1?tab=use")
    expect(page.get_by_text("the truth of 0 predictions is known, and 20 are needed")).to_be_visible()
    expect(page.get_by_role("heading", name="Drift")).to_be_visible()
    rows = [{"x": at % 50 + 40, "z": at % 7} for at in range(140)]
    answer = logging.http.post("/v1/models/used/predictions", json={"instances": rows}, headers={"Request-Id": "seen"})
    assert answer.status_code == 200, answer.text
    truths = [{"request_id": "seen", "row": at, "truth": 2.0 * (at % 50 + 40)} for at in range(30)]
    assert logging.http.post("/v1/models/used/feedback", json={"feedback": truths}).json()["kept"] == 30
    until(lambda: logging.http.get("/v1/models/used/drift").json()["enough"])
    page.reload()
    expect(page.get_by_text("The rows have drifted")).to_be_visible()
    drift = page.get_by_role("region", name="Drift of each column").locator("tbody tr")
    assert drift.count() == 3  # two inputs and the answers
    of_x = drift.filter(has=page.get_by_text("x", exact=True))
    assert of_x.locator("td").first.inner_text() == "yes"
    assert drift.filter(has=page.get_by_text("z", exact=True)).locator("td").first.inner_text() == "no"
    live = logging.http.get("/v1/models/used/live-metrics").json()["live"]
    shown = page.get_by_role("region", name="Live metrics").locator("tbody tr")
    assert shown.count() == len(live)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert axe(page) == []
    page.get_by_role("button", name="theme").click()
    assert axe(page) == []
