"""`benchmarks/run dashboard`: the dashboard in Debian's chromium, without a GPU, on a service with 1,000 models, 5,000 jobs and
one that runs: bytes of the first paint, redrawing a curve of 10,000 epochs, long lists, eight tabs that are live, and
predictions beside twenty clients that ask what an open dashboard asks."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Response, sync_playwright

from benchmarks.growth import grow, publish, serve
from service.workflow.spec import EXAMPLE

MODELS = int(os.environ.get("MODELS", "1000"))
JOBS = int(os.environ.get("JOBS", "5000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))  # of predictions without and with the clients
SECONDS_EACH = float(os.environ.get("SECONDS_EACH", "10"))
POINTS, REDRAWS, TABS, CLIENTS = 10_000, 60, 8, 20
HERE = Path(__file__).parent
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 120_000.0  # milliseconds
# Draws the component of the job page with one point more, and waits for two frames.
GROW = """async () => {
  const { html, render } = await import("/web/vendor/preact.js");
  const { Curve } = await import("/web/parts/curve.js");
  globalThis.frame ??= document.body.appendChild(Object.assign(document.createElement("div"), { id: "benchmark" }));
  globalThis.columns ??= [0, 1, 2].map((column) => Array.from({ length: %d }, (_, at) =>
    column ? Math.exp(-at / 2000) + 0.05 * Math.sin(at * column) ** 2 : at + 1));
  const [x, train, validation] = columns;
  x.push(x.length + 1), train.push(Math.random() / 20), validation.push(Math.random() / 20);
  const series = [{ label: "Train", values: train }, { label: "Validation", values: validation }];
  render(html`<${Curve} x=${x} series=${series} label="curve" height=${320} />`, frame);
  for (let frames = 0; frames < 2; frames += 1) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}"""
ROWS = "main tbody tr, main .failure"  # of a list; a failure where the page is not there
COUNT_CHANGES = """() => {
  globalThis.changes = 0;
  const epoch = document.querySelector(".figures dd");
  new MutationObserver(() => (changes += 1)).observe(epoch, { characterData: true, childList: true, subtree: true });
}"""


def main() -> None:
    """Writes the tables."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        with serve(home) as (client, url, _):
            client.wait(client.train(EXAMPLE | {"model_name": "line"})["id"])
            bundle = httpx.get(f"{url}/v1/models/line/versions/1/bundle").content
            for number in range(MODELS - 1):
                publish(url, f"model{number}", bundle)
        grow(home, deleted=0, jobs=JOBS)
        browser = playwright.chromium.launch(args=CHROMIUM, executable_path="/usr/bin/chromium")
        with serve(home) as (client, url, _):
            write("what", "measured", "must hold")
            write("---", "---", "---")
            first_paint(browser, url)
            redraw(browser, url)
            lists(browser, url)
            job = client.train(long_training("running"))["id"]
            tabs(browser, url, job)
            browser.close()
            predictions(url, job)
            client.cancel(job)


def write(*cells: str) -> None:
    """A row of the table."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def long_training(name: str) -> dict[str, Any]:
    """A spec of a training that does not end by itself."""
    return EXAMPLE | {"model_name": name, "training": EXAMPLE["training"] | {"epochs": 10_000_000}}


def opened(browser: Browser, url: str) -> tuple[BrowserContext, Page, CDPSession]:
    """A window on the overview."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{url}/")
    page.get_by_role("heading", name="Overview").wait_for()
    page.wait_for_load_state("networkidle")
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    return context, page, session


def busy(session: CDPSession, act: Callable[[], object]) -> float:
    """Milliseconds for which the main thread of the page was at work during `act`."""

    def so_far() -> float:
        found: dict[str, float] = {
            each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
        }
        return found["TaskDuration"]

    before = so_far()
    act()
    return (so_far() - before) * 1000


def first_paint(browser: Browser, url: str) -> None:
    """Bytes in gzip of all that the first page loads, without the answers of the API."""
    sizes: dict[str, int] = {}

    def measure(response: Response) -> None:
        if "/v1/" not in response.url:
            sizes[response.url] = len(gzip.compress(response.body()))

    context = browser.new_context()
    context.on("response", measure)
    page = context.new_page()
    page.goto(f"{url}/")
    page.get_by_role("heading", name="Overview").wait_for()
    page.wait_for_load_state("networkidle")
    own = sum(size for path, size in sizes.items() if "/vendor/" not in path)
    write(
        "first paint of `/`, gzip",
        f"{sum(sizes.values()) / 1000:.1f} kB, own code {own / 1000:.1f} kB",
        "100 kB, 60 kB",
    )
    context.close()


def redraw(browser: Browser, url: str) -> None:
    """A curve that grows by a point, of a training and its validation."""
    context, page, session = opened(browser, url)
    page.evaluate(GROW % POINTS)
    took = [busy(session, lambda: page.evaluate(GROW % POINTS)) for _ in range(REDRAWS)]
    idle = [busy(session, lambda: page.evaluate("() => new Promise(requestAnimationFrame)")) for _ in range(REDRAWS)]
    worst = sorted(took)[len(took) * 95 // 100]
    write(
        f"redraw of two curves of {POINTS:,} points, work of the main thread",
        f"{median(took):.1f} ms median, {worst:.1f} ms p95 (an empty frame {median(idle):.1f})",
        "33 ms median",
    )
    context.close()


def lists(browser: Browser, url: str) -> None:
    """From a click in the navigation to the list, of models and of jobs."""
    for name, count, limit in (("models", MODELS, "150 ms"), ("jobs", JOBS, "paged")):
        context, page, session = opened(browser, url)
        spent, walls = [], []
        for _ in range(5):
            began = time.perf_counter()
            spent.append(busy(session, lambda: show(page, name)))  # noqa: B023 - called at once
            walls.append((time.perf_counter() - began) * 1000)
            shown = page.locator(ROWS).count()
            page.get_by_role("link", name="Overview").click()
            page.get_by_role("heading", name="Overview").wait_for()
        write(
            f"list of {count:,} {name}: {shown} rows shown",
            f"{median(spent):.0f} ms work of the main thread, {median(walls):.0f} ms from the click to the rows",
            limit,
        )
        context.close()


def show(page: Page, name: str) -> None:
    """Goes to a page by the navigation, and waits for its list."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name.capitalize()).click()
    page.locator(ROWS).first.wait_for()


def tabs(browser: Browser, url: str, job: str) -> None:
    """Tabs of one browser on a running job."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    pages = [context.new_page() for _ in range(TABS)]
    for page in pages:
        page.goto(f"{url}/#/jobs/{job}")
    for page in pages:
        page.get_by_role("img", name="Loss by epoch").wait_for()
        page.evaluate(COUNT_CHANGES)
    time.sleep(SECONDS_EACH)
    changes = [page.evaluate("changes") / SECONDS_EACH for page in pages]
    metrics = httpx.get(f"{url}/metrics").text
    streams = next(line.split()[1] for line in metrics.splitlines() if line.startswith("modelwright_event_streams "))
    write(
        f"{TABS} tabs on a running job",
        f"each is drawn {min(changes):.1f} to {max(changes):.1f} times a second; {float(streams):.0f} event stream",
        "all live",
    )
    context.close()


def predictions(url: str, job: str) -> None:
    """Eight clients that predict in closed loops while a job runs, without and with twenty clients of the dashboard."""
    port = str(httpx.URL(url).port)
    alone, beside, asked = list[float](), list[float](), dict[str, int]()
    for _ in range(ROUNDS):
        alone.append(p99(port))
        clients = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, HERE / "dashboard_clients.py", url, job, str(CLIENTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(3)  # until they have connected
        beside.append(p99(port))
        asked = json.loads(clients.communicate()[0])
    write(
        f"predictions' p99 while a job runs, beside {CLIENTS} clients of the dashboard",
        f"{median(beside) / median(alone):.2f} × ({median(alone) * 1000:.1f} ms to {median(beside) * 1000:.1f} ms; "
        f"{asked.get('answered', 0) / (SECONDS_EACH + 3):.0f} requests and {asked.get('events', 0) / (SECONDS_EACH + 3):.0f} "
        f"events a second, {asked.get('refused', 0)} refused)",
        "1.5 ×",
    )


def p99(port: str) -> float:
    """Seconds: the median of the p99 of each second."""
    clients = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, HERE / "steady.py", port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(SECONDS_EACH)
    lines = [json.loads(line) for line in clients.communicate()[0].splitlines()]
    return median(line["p99"] for line in lines[1:-1])


if __name__ == "__main__":
    main()
