"""`benchmarks/run growth`: a service with 10,000 deleted versions and 100,000 jobs beside one that is nearly empty: start,
lists, publishing. Both have the same ten models and the same first jobs, enough for a page; the rest is written by the
libraries themselves."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson
from sqlalchemy import insert

from model_store import Store
from modelwright import Client
from service.jobs import tables
from service.jobs.database import open_database
from service.jobs.journal_base import COUNTS
from service.jobs.seals import seal_of, sealed
from service.workflow.spec import EXAMPLE

DELETED = int(os.environ.get("DELETED", "10000"))
JOBS = int(os.environ.get("JOBS", "100000"))
STARTS = int(os.environ.get("RUNS", "5"))
CALLS = 60
MODELS = 10
FEW_JOBS = 40
AT_ONCE = 2_000
SPEC = orjson.dumps(EXAMPLE).decode()
RESULT = '{"model_name":"line","version":1,"metrics":{"test_loss":0.01}}'
ERROR = '{"code":"training_diverged","detail":"the loss is not finite"}'
WHEN = "2026-01-01T00:00:00.000000Z"
LISTS = {
    "`GET /v1/models`": "/v1/models",
    "`GET /v1/training-jobs`": "/v1/training-jobs",
    "`GET /v1/training-jobs?status=failed`": "/v1/training-jobs?status=failed",
    "`GET /v1/training-jobs?model_name=line`": "/v1/training-jobs?model_name=line",
    "`GET /v1/training-jobs?status=failed&model_name=line`": "/v1/training-jobs?status=failed&model_name=line",
    "`GET /metrics`": "/metrics",
}


@contextmanager
def serve(home: Path) -> Iterator[tuple[Client, str, float]]:
    """A service on the home: a client, its address, and the seconds until it was ready."""
    log = home.with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(home)]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603
    try:
        while not (address := re.search(r"http://127\.0\.0\.1:[1-9]\d*(?=\D)", log.read_text())):
            time.sleep(0.005)
        with Client(address[0], transport=httpx.HTTPTransport()) as client:
            while not client.ready():
                time.sleep(0.005)
            yield client, address[0], time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def furnish(home: Path) -> bytes:
    """The common state of both: some models, and a bundle to publish."""
    with serve(home) as (client, url, _):
        client.wait(client.train(EXAMPLE | {"model_name": "line"})["id"])
        bundle = httpx.get(f"{url}/v1/models/line/versions/1/bundle").content
        for number in range(MODELS - 1):
            publish(url, f"model{number}", bundle)
    return bundle


def publish(url: str, model: str, bundle: bytes) -> None:
    """By a key, as every import is."""
    headers = {"Content-Type": "application/zip"}
    httpx.post(f"{url}/v1/models/{model}/versions", content=bundle, headers=headers, timeout=60).raise_for_status()


def grow(home: Path, deleted: int, jobs: int) -> None:
    """Half of the deleted versions have names without a version, half belong to one model that exists."""
    os.fsync = lambda _: None  # type: ignore[assignment] # setting up the benchmark need not be durable
    store, source = Store.open(home / "store"), home / "weights"
    for number in range(deleted):
        name = f"gone{number}" if number % 2 else "line"
        source.write_bytes(b"%d" % number)
        version = store.models.publish(name, {"format": 1}, {"weights": source}, key=f"job{number}")
        store.delete_version(name, version.number)
    engine = open_database(f"sqlite:///{home / 'journal.sqlite'}")
    for first in range(0, jobs, AT_ONCE):
        rows = [job(number) for number in range(first, min(first + AT_ONCE, jobs))]
        attempts = [of(row, "attempts", attempt(), number=1) for row in rows]
        events = [
            of(row, "events", event(kind), number=at) for row in rows for at, kind in enumerate(("status",) * 3, 1)
        ]
        with engine.connect().execution_options(write=True) as connection, connection.begin():
            for table, values in ((tables.jobs, rows), (tables.attempts, attempts), (tables.events, events)):
                connection.execute(insert(table), values)
    engine.dispose()


def job(number: int) -> dict[str, Any]:
    """A job that has ended; every second of the first has failed, and one in a hundred of the others."""
    failed = number % (2 if number < FEW_JOBS else 100) == 0
    row = {"seq": 1000 + number, "id": f"{number:024x}", "status": "failed" if failed else "succeeded"}
    row |= {"model_name": f"gone{number % DELETED}", "spec": SPEC, "context": "{}", "priority": 0, "attempt": 1}
    row |= {"created_at": WHEN, "started_at": WHEN, "finished_at": "2099" + WHEN[4:], "progress": "{}", "metrics": "{}"}
    row |= {"publishing": 0, "last_event": 3, **COUNTS, "ends": 1}
    row |= {"result": None if failed else RESULT, "error": ERROR if failed else None}
    return row | {"seal": seal_of("jobs", row), "state_seal": seal_of("job states", row)}


def attempt() -> dict[str, Any]:
    """The only attempt at a job."""
    return {"owner": "gone", "started_at": WHEN, "ended_at": WHEN, "status": "succeeded", "cause": None}


def event(kind: str) -> dict[str, Any]:
    """One event of a job."""
    return {"type": kind, "created_at": WHEN, "data": "{}"}


def of(row: dict[str, Any], kind: str, values: dict[str, Any], *, number: int) -> dict[str, Any]:
    """The row of a job, with its number and its seal."""
    return {"job_seq": row["seq"], **sealed(kind, values | {"number": number}, row["id"])}


def measure(url: str, client: Client, bundle: bytes) -> Iterator[tuple[str, float]]:
    """The measured requests, and a function that returns the seconds of one."""
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(), timeout=60) as http:
        for what, path in LISTS.items():
            began = time.perf_counter()
            http.get(path).raise_for_status()
            yield what, time.perf_counter() - began
    began = time.perf_counter()
    publish(url, "published", bundle)
    yield "publish a bundle by its key", time.perf_counter() - began
    client.delete_model("published")


def train(client: Client) -> float:
    """Seconds from the POST of a short training to its version, of the model with the many deleted ones."""
    began = time.perf_counter()
    client.wait(client.train(EXAMPLE | {"model_name": "line"})["id"])
    return time.perf_counter() - began


def main() -> None:
    """Prints the table as Markdown."""
    times: dict[str, tuple[list[float], list[float]]] = {}

    def add(what: str, side: int, seconds: float) -> None:
        times.setdefault(what, ([], []))[side].append(seconds)

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        homes = [Path(folder) / name for name in ("empty", "grown")]
        bundles = [furnish(home) for home in homes]
        began = time.perf_counter()
        grow(homes[0], 0, FEW_JOBS)
        grow(homes[1], DELETED, JOBS)
        filled = time.perf_counter() - began
        for _ in range(STARTS):
            for side, home in enumerate(homes):
                with serve(home) as (_, _, ready):
                    add("start to ready", side, ready)
        services = [stack.enter_context(serve(home)) for home in homes]
        for client, _, _ in services:
            train(client)  # the trainer server has loaded, and the first housekeeping is over
        for number in range(CALLS):
            for side, (client, url, _) in enumerate(services):
                for what, seconds in measure(url, client, bundles[side]):
                    add(what, side, seconds)
                if number < STARTS:
                    add("train, publish and succeed", side, train(client))
    sys.stdout.write(f"{DELETED:,} deleted versions and {JOBS:,} jobs, written in {filled:.0f} s.\n\n")
    sys.stdout.write(
        "| what | nearly empty, median ms | grown, median ms | ratio | must hold |\n|---|---|---|---|---|\n"
    )
    for what, (empty, grown) in times.items():
        before, after = median(empty) * 1000, median(grown) * 1000
        held = "" if what == "`GET /metrics`" else "≤ 1.5"
        sys.stdout.write(f"| {what} | {before:.1f} | {after:.1f} | {after / before:.2f} | {held} |\n")


if __name__ == "__main__":
    main()
