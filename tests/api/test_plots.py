"""Plots: over HTTP, and how they are cached."""

import asyncio
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from model_store import Store
from service.use_cases.artifacts import MOST_AT_ONCE, MOST_WAITING, Artifact, Artifacts, TooManyArtifacts
from service.use_cases.draw_plot import FORMS
from service.workflow.look.available import PLOTS
from service.workflow.look.charts import CHARTS
from tests.api.conftest import train
from tests.api.test_bundles import ZIP, closed, opened
from tests.harness.server import Server

PATH = "/v1/models/line/versions/1/plots"
OF_CLASSES = {"confusion", "roc", "precision_recall", "calibration"}
NOT_OF_LINE = {*OF_CLASSES, "filters"}  # of convolutions
PNG, SVG, JSON = b"\x89PNG", b"<svg", b"{"


def test_every_chart_is_served() -> None:
    assert set(PLOTS) == set(CHARTS)


@pytest.mark.parametrize("plot", sorted(NOT_OF_LINE))
def test_a_regression_of_a_table_has_no_plots_of_classes_or_filters(
    http: httpx.Client, line: dict[str, Any], plot: str
) -> None:
    answer = http.get(f"{PATH}/{plot}.png")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")


def test_the_manifest_names_the_plots(http: httpx.Client, line: dict[str, Any]) -> None:
    assert http.get("/v1/models/line/versions/1").json()["plots"] == [each for each in PLOTS if each not in NOT_OF_LINE]


def test_the_importance_of_the_inputs_is_recorded_drawn_and_told(http: httpx.Client) -> None:
    records = [{"x": i % 7, "noise": i * 37 % 11, "y": 3 * (i % 7) + 0.25} for i in range(100)]
    data = {"kind": "rows", "records": records, "target": "y"}
    train(http, "explained", data=data, model={"kind": "linear_regression"}, training={"epochs": 300})
    found = http.get("/v1/models/explained/versions/1").json()["importance"]
    assert (found["measure"], found["permutations"], found["left_out"]) == ("relative_squared_error", 5, 0)
    assert [each["input"] for each in found["inputs"]] == ["x", "noise"]
    assert found["inputs"][0]["mean"] > 0.5 > 0.1 > abs(found["inputs"][1]["mean"])
    drawn = http.get("/v1/models/explained/versions/1/plots/importance.svg").text
    assert "Importance of the inputs" in drawn and "noise" in drawn
    assert "## Importance of the inputs" in http.get("/v1/models/explained/versions/1/card").text
    members = opened(http.get("/v1/models/explained/versions/1/bundle").content)
    del members["manifest.json"]["importance"], members["manifest.json"]["plots"]  # as versions were published before
    http.post("/v1/models/explained-before/versions", content=closed(members), headers=ZIP).raise_for_status()
    refused = http.get("/v1/models/explained-before/versions/1/plots/importance")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_available")


def test_a_classification_has_curves_if_they_were_recorded(http: httpx.Client) -> None:
    records = [{"x": i % 7, "y": "no" if i % 2 else "yes"} for i in range(60)]
    data = {"kind": "rows", "records": records, "target": "y"}
    train(http, "told-apart", data=data, model={"kind": "mlp", "hidden": [4]}, loss={"name": "CrossEntropyLoss"})
    about = http.get("/v1/models/told-apart/versions/1").json()
    assert about["plots"] == [each for each in PLOTS if each not in ("residuals", "filters")]
    drawn = http.get("/v1/models/told-apart/versions/1/plots/roc.svg").text
    assert f"{about['metrics']['test']['auroc']:.3f}" in drawn
    assert f"test, {about['split']['test']['rows']} rows" in drawn
    drawn = http.get("/v1/models/told-apart/versions/1/plots/calibration.svg").text
    assert f"calibration error {about['metrics']['test']['ece']:.3f}" in drawn
    members = opened(http.get("/v1/models/told-apart/versions/1/bundle").content)
    members["files/points.json"] = orjson.dumps(
        {**orjson.loads(members["files/points.json"]), "curves": None, "reliability": None}
    )
    del members["manifest.json"]["plots"]  # as versions were published before
    http.post("/v1/models/told-before/versions", content=closed(members), headers=ZIP).raise_for_status()
    for plot, rule in (("roc", "before they were recorded"), ("calibration", "before it was recorded")):
        refused = http.get(f"/v1/models/told-before/versions/1/plots/{plot}")
        assert (refused.status_code, refused.json()["code"]) == (404, "not_available")
        assert rule in refused.json()["detail"]
    card = http.get("/v1/models/told-before/versions/1/card").text
    assert "plots/confusion.png" in card and "plots/roc.png" not in card


@pytest.mark.parametrize("plot", sorted(set(PLOTS) - NOT_OF_LINE))
def test_a_plot_in_every_image_format(http: httpx.Client, line: dict[str, Any], plot: str) -> None:
    for form, media_type, start in (("png", "image/png", PNG), ("svg", "image/svg+xml", SVG), ("json", "", JSON)):
        media_type = media_type or "application/json"
        answer = http.get(f"{PATH}/{plot}.{form}", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
        assert answer.content.startswith(start)
        assert http.get(f"{PATH}/{plot}", headers={"Accept": media_type}).content == answer.content


def test_the_preferred_image_format_is_chosen(http: httpx.Client, line: dict[str, Any]) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    for accept, media_type in (
        ("*/*", "image/png"),
        ("", "image/png"),
        ("image/*", "image/png"),
        (browser, "image/png"),
        ("image/svg+xml, image/png;q=0.5", "image/svg+xml"),
        ("image/svg+xml;q=0, image/*;q=0.1", "image/png"),
    ):
        assert http.get(f"{PATH}/data", headers={"Accept": accept}).headers["Content-Type"] == media_type, accept
    refused = http.get(f"{PATH}/data", headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


def test_a_damaged_cached_plot_is_drawn_again(http: httpx.Client, server: Server, model: str) -> None:
    address = f"/v1/models/{model}/versions/1/plots/data.svg"
    drawn = http.get(address).content
    digest = http.get(f"/v1/models/{model}/versions/1").json()["digest"]
    (path,) = (server.home / "cache/plots").glob(f"{digest}-data-*.svg")
    kept = path.read_bytes()
    path.write_bytes(kept[:50] + b"x" + kept[51:])
    assert http.get(address).content == drawn
    path.unlink()
    path.symlink_to(path)  # ELOOP: it exists and cannot be read
    assert http.get(address).content == drawn
    path.unlink()
    path.mkdir()
    assert http.get(address).content == drawn
    assert path.read_bytes() == kept


def test_an_untrained_model_has_an_empty_learning_curve(http: httpx.Client, model: str) -> None:
    chart = http.get(f"/v1/models/{model}/versions/1/plots/learning_curve.json").json()
    assert chart["title"]["text"] == "Learning curve" and not any(chart.get("datasets", {}).values())
    assert http.get(f"/v1/models/{model}/versions/1/plots/learning_curve.png").content.startswith(PNG)


class Drawer:
    """Draws plots without a child process; `at_once` has the number of concurrent drawings at the start of each."""

    def __init__(self, store: Store, folder: Path, **limits: int) -> None:
        self.store, self.version = store, store.models.get("line", 1)
        self.plots = Artifacts(folder / "kept", folder / "tmp", **limits)
        self.at_once: list[int] = []
        self.may_draw = asyncio.Event()
        self.may_draw.set()
        self._drawing = 0

    async def draw(self, plot: str, suffix: str) -> bytes:
        make = partial(self._make, plot)
        return (await self.plots.get(self.store, Artifact(self.version, plot, FORMS), suffix, make)).read_bytes()

    async def _make(self, plot: str, folder: Path) -> None:
        self._drawing += 1
        self.at_once.append(self._drawing)
        await asyncio.sleep(0)
        await self.may_draw.wait()
        for suffix in FORMS:
            (folder / f"artifact{suffix}").write_bytes(plot.encode())
        self._drawing -= 1


@pytest.fixture
def store(server: Server, line: dict[str, Any]) -> Store:
    return Store.open(server.home / "store")


def test_concurrent_requests_draw_a_plot_once(store: Store, tmp_path: Path) -> None:
    drawer = Drawer(store, tmp_path)

    async def run() -> None:
        drawn = await asyncio.gather(*[drawer.draw(plot, form) for form in FORMS for plot in PLOTS for _ in range(5)])
        assert set(drawn) == {plot.encode() for plot in PLOTS}
        await drawer.draw("data", ".svg")

    asyncio.run(run())
    assert len(drawer.at_once) == len(PLOTS) and max(drawer.at_once) <= MOST_AT_ONCE
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_cache_miss_just_before_the_plot_is_stored_does_not_draw_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawer = Drawer(store, tmp_path)
    missed, drawn = threading.Event(), threading.Event()
    real = Artifacts._kept

    def late(self: Artifacts, stem: str, suffix: str) -> Path | None:
        found = real(self, stem, suffix)
        if suffix == ".svg" and not missed.is_set():
            missed.set()
            assert drawn.wait(60)
        return found

    async def run() -> None:
        second = asyncio.create_task(drawer.draw("data", ".svg"))
        await asyncio.to_thread(missed.wait, 60)
        await drawer.draw("data", ".png")
        drawn.set()
        assert await second == b"data"

    monkeypatch.setattr(Artifacts, "_kept", late)
    asyncio.run(run())
    assert len(drawer.at_once) == 1


def test_the_least_recently_used_plots_are_evicted(store: Store, tmp_path: Path) -> None:
    drawer = Drawer(store, tmp_path, most_files=6)

    async def run() -> None:
        await drawer.draw("data", ".png")
        await drawer.draw("predictions", ".png")
        for path in (tmp_path / "kept").iterdir():
            os.utime(path, (1, 1) if "predictions" in path.name else (2, 2))
        await drawer.draw("learning_curve", ".png")

    asyncio.run(run())
    kept = {path.name.split("-")[1] for path in (tmp_path / "kept").iterdir()}
    assert kept == {"data", "learning_curve"} and len(list((tmp_path / "kept").iterdir())) == 6


def test_plots_of_a_deleted_version_are_deleted(server: Server, store: Store, http: httpx.Client) -> None:
    bundle = http.get("/v1/models/line/versions/1/bundle").content
    headers = {"Content-Type": "application/zip"}
    drawn = server.home / "cache" / "plots"
    for address in ("/v1/models/drawn", "/v1/models/drawn/versions/2"):
        http.post("/v1/models/drawn/versions", content=bundle, headers=headers).raise_for_status()
        assert http.get("/v1/models/drawn/versions/latest/plots/data.svg").status_code == 200
        digest = store.models.latest("drawn").digest
        assert list(drawn.glob(f"{digest}-*"))
        assert http.delete(address).status_code == 204
        assert not list(drawn.glob(f"{digest}-*"))


def test_the_queue_of_plots_is_bounded(store: Store, tmp_path: Path) -> None:
    drawer = Drawer(store, tmp_path)

    async def run() -> list[Any]:
        drawer.may_draw.clear()  # nothing is drawn before all requests have come
        tasks = [asyncio.create_task(drawer.draw(f"plot {number}", ".png")) for number in range(MOST_WAITING + 1)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        drawer.may_draw.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in asyncio.run(run())].count(TooManyArtifacts) == 1
