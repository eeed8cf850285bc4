"""The conditions that must hold after every strike and at the end."""

import contextlib
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from modelwright import ApiError
from service.jobs.database import open_database
from service.jobs.verification import verify
from tests.harness.server import ROOT
from tests.harness.until import until
from tests.story.chaos.clients import FINAL, IMPORTED, SCRATCH, undisturbed
from tests.story.chaos.ledger import Order
from tests.story.chaos.recipes import RECIPES, rows_for
from tests.story.chaos.site import Site

TWO_DAYS = 2 * 86_400.0
MOST_CRASHES = 3
PATIENCE = 120.0  # seconds in which the last responses must come


def expect_all_jobs(site: Site) -> None:
    """Every acknowledged job exists."""
    expected = {order.job_id for order in site.ledger.acknowledged()}
    known = {job["id"] for job in site.server.client.jobs()}
    site.ledger.expect(expected <= known, f"acknowledged jobs are lost: {sorted(expected - known)}")


def all_ended(site: Site, seconds: float) -> None:
    """Waits until every job has ended; resumes paused jobs first."""
    deadline = time.monotonic() + seconds
    for order in site.ledger.acknowledged():
        job: dict[str, Any] = {"status": "unknown"}
        while time.monotonic() < deadline:
            job = site.server.client.job(order.job_id, wait=2)
            if job["status"] in FINAL:
                break
            if job["status"] == "paused" or job["requested"] == "pause":
                with contextlib.suppress(ApiError):  # ended meanwhile
                    site.server.client.resume(order.job_id)
        else:
            site.ledger.add_finding(
                f"job {order.job_id} ({order.recipe}) is stuck: {job['status']}, {job.get('progress')}"
            )


def judge(site: Site) -> None:
    """Every job has the right result, and nothing else happened."""
    made = _versions(site)
    for order in site.ledger.acknowledged():
        _judge_job(site, order, made.pop(order.job_id, []))
    for job_id, versions in made.items():
        site.ledger.add_finding(f"versions {versions} of a job that was not requested, or requested twice: {job_id}")
    known = {job["id"] for job in site.server.client.jobs()}
    acknowledged = {order.job_id for order in site.ledger.acknowledged()}
    strangers = (
        known - acknowledged - {site.server.client.manifest(undisturbed(r), 1)["job"] for r in site.ledger.references}
    )
    site.ledger.expect(not strangers, f"jobs that were not requested: {sorted(strangers)}")
    _judge_other_promises(site)


def _versions(site: Site) -> dict[str, list[tuple[str, int]]]:
    """The versions that each job has made."""
    made = defaultdict(list)
    for recipe in RECIPES:
        with contextlib.suppress(ApiError):  # the model may not exist
            for version in site.server.client.versions(recipe):
                made[version["job"]].append((recipe, version["version"]))
    return made


def _judge_job(site: Site, order: Order, versions: list[tuple[str, int]]) -> None:
    ledger, client = site.ledger, site.server.client
    job, attempts = client.job(order.job_id), client.attempts(order.job_id)
    about = f"job {order.job_id} ({order.recipe}, attempt {job['attempt']})"
    ledger.count(job["status"])
    ledger.count("attempts", len(attempts))
    numbered = [each["attempt"] for each in attempts] == list(range(1, job["attempt"] + 1))
    ledger.expect(numbered, f"{about}: its attempts are {[each['attempt'] for each in attempts]}")
    ledger.expect(all(each["ended_at"] for each in attempts), f"{about}: an attempt has no end")
    causes = [(each["cause"] or {}).get("code") for each in attempts]
    ledger.expect(all(causes[:-1]), f"{about}: attempts without a cause: {causes}")
    if job["status"] != "succeeded":
        ledger.expect(not versions, f"{about}: it is {job['status']}, and has made {versions}")
        rightly = job["status"] == "cancelled" and order.cancel
        crashed = job["status"] == "failed" and job["error"]["code"] == "crashed"
        given_up = crashed and causes.count("crashed") >= MOST_CRASHES and order.cancel != "done"
        ledger.count("given up after three crashes", int(given_up))
        ledger.expect(rightly or given_up, f"{about}: {job['status']} {job['error']}, causes {causes}")
        return
    ledger.expect(order.cancel != "done", f"{about}: its cancellation was acknowledged, and it succeeded")
    expected = (job["result"]["model_name"], job["result"]["version"])
    ledger.expect(versions == [expected], f"{about}: made {versions}, reports {expected}")
    reference = ledger.references[order.recipe]
    digest = client.manifest(*expected)["files"]["state_dict.safetensors"]["sha256"]
    ledger.expect(digest == reference.digest, f"{about}: its state_dict is not that of the undisturbed training")
    metrics = client.metrics(order.job_id)
    contiguous = metrics["epoch"] == list(range(1, len(metrics["epoch"]) + 1))
    ledger.expect(contiguous, f"{about}: its epochs are not 1, 2, 3 …")
    ledger.expect(metrics == reference.metrics, f"{about}: its metrics are not those of the undisturbed training")


def _judge_other_promises(site: Site) -> None:
    ledger, client = site.ledger, site.server.client
    for model, possible in ledger.aliases.items():
        found = {alias["version"] for alias in client.aliases(model) if alias["alias"] == "production"} or {None}
        ledger.expect(found <= possible, f"{model}@production is {found}, not {possible}")
    for recipe, reference in ledger.references.items():
        answer = client.predict(undisturbed(recipe), rows_for(recipe), version=1)
        ledger.expect(answer["predictions"] == reference.predictions, f"{undisturbed(recipe)} predicts otherwise")
    imported = set()
    with contextlib.suppress(ApiError):
        imported = {version["digest"] for version in client.versions(IMPORTED)}
    ledger.expect(imported == ledger.imported, f"imported: {imported}, expected: {ledger.imported}")
    if ledger.tables:
        listed: list[dict[str, Any]] = site.server.http.get(f"/v1/datasets/{SCRATCH}/versions?limit=1000").json()[
            "data"
        ]
        tables = {each["version"]: each["digest"] for each in listed}
        ledger.expect(ledger.tables.items() <= tables.items(), "an upload that was acknowledged is not there")


def leaves_nothing(site: Site) -> None:
    """Starts the service once more, with leftovers counted as a day old: it removes what crashes have left, and nothing
    else. Then stops it and inspects the disk."""
    ledger, home = site.ledger, site.home
    for server in site.servers:
        ledger.expect(server.stop() == 0, "SIGTERM did not end it with status 0")
    left = [path for folder in (home / "tmp", home / "store" / "tmp") for path in folder.glob("*")]
    left = [path for path in left if path.name not in ("attempts", "torchinductor_root")]
    ledger.count("temporary files left by kills", len(left))
    for path in left:
        os.utime(path, times=(time.time() - TWO_DAYS,) * 2)
    site.launch()
    site.server.reach()
    with contextlib.suppress(AssertionError):
        until(lambda: not _leftovers(home, left))
    ledger.expect(not _leftovers(home, left), f"left lying: {[path.name for path in _leftovers(home, left)]}")
    expect_all_jobs(site)
    ledger.expect(site.server.stop() == 0, "SIGTERM did not end it with status 0")
    with contextlib.suppress(AssertionError):
        until(lambda: not site.left_alive())
    alive = [process.pid for process in site.left_alive()]
    ledger.expect(not alive, f"processes have outlived the service: {alive}")
    _look_at_disk(site)


def _leftovers(home: Path, temporary: list[Path]) -> list[Path]:
    folders = [*(home / "tmp" / "attempts").glob("*"), *(home / "checkpoints").glob("*")]
    return folders + [path for path in temporary if path.exists()]


def _look_at_disk(site: Site) -> None:
    ledger, home = site.ledger, site.home
    if site.database.startswith("sqlite"):
        whole = site.query("PRAGMA integrity_check")
        ledger.expect(whole == [("ok",)], f"the journal is damaged: {whole[:3]}")
    engine = open_database(site.database)
    damaged = list(verify(engine))
    engine.dispose()
    ledger.expect(not damaged, f"rows of the journal are damaged: {damaged[:3]}")
    command = [sys.executable, "-m", "service", "store", "verify", "--home", str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    ledger.expect(done.returncode == 0, f"store verify: {done.stdout[-500:]}{done.stderr[-500:]}")
    for server in site.servers:
        log = server.log()
        ledger.expect("Traceback" not in log, f"{log.count('Traceback')} tracebacks in {server.log_file.name}")
