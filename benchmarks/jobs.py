"""`benchmarks/run jobs`: the cost of running trainings as durable jobs.

A real service, two slots. Beside it, in the same run: a script that trains by hand; the same trainings back to back inside
one process; predictions of the same service while nothing trains.
"""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx
import torch
from sqlalchemy import insert

from benchmarks.in_process import resolved_with_table
from benchmarks.start import BY_HAND, seconds_of
from modelwright import Client
from service.jobs import tables
from service.jobs.database import open_database
from service.workflow.learn import learn
from service.workflow.spec import EXAMPLE

RUNS = int(os.environ.get("RUNS", "5"))
JOBS = 200
LISTED = 100_000
LONG = {
    "model_name": "long",
    "data": {"kind": "line", "weight": 0.4, "bias": 0.6, "start": 0, "end": 1, "step": 0.0001},
    "model": {"kind": "mlp", "hidden": [128, 128]},
    "training": {"epochs": 1_000_000, "batch_size": 256, "early_stopping": None},
}


@contextmanager
def service(home: Path, **settings: object) -> Iterator[tuple[Client, str]]:
    """A client of a service with two slots, its trainer server loaded; and the address."""
    log = home.with_suffix(".log")
    environment = os.environ | {"MODELWRIGHT_SLOTS": "2"}
    environment |= {f"MODELWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(home)]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)  # noqa: S603
    try:
        while not (address := re.search(r"http://127\.0\.0\.1:[1-9]\d*", log.read_text())):
            time.sleep(0.01)
        with Client(address[0], transport=httpx.HTTPTransport()) as client:
            while not client.ready():
                time.sleep(0.01)
            client.wait(client.train(EXAMPLE)["id"])
            yield client, address[0]
    finally:
        process.terminate()
        process.wait()


def until_first_epoch(client: Client) -> float:
    """Seconds from the POST to the first event of an epoch."""
    began = time.perf_counter()
    job = client.train(EXAMPLE)
    events = client.events(job["id"])
    next(event for event in events if event["type"] == "metrics")
    took = time.perf_counter() - began
    client.wait(job["id"])
    return took


def until_succeeded(client: Client) -> float:
    """Seconds from the POST to the end."""
    began = time.perf_counter()
    client.wait(client.train(EXAMPLE)["id"])
    return time.perf_counter() - began


def seconds_of_many(client: Client) -> float:
    """Seconds from the first start to the last end of many jobs of the line."""
    jobs = [client.train(EXAMPLE | {"model_name": "many"})["id"] for _ in range(JOBS)]
    ended = [client.wait(job) for job in jobs]
    started = min(datetime.fromisoformat(job["started_at"]) for job in ended)
    return (max(datetime.fromisoformat(job["finished_at"]) for job in ended) - started).total_seconds()


def seconds_inside(count: int) -> float:
    """Seconds of as many trainings of the line, one after another in this process, without storing anything."""
    torch.set_num_threads(1)
    found, table = resolved_with_table(EXAMPLE)
    began = time.perf_counter()
    for _ in range(count):
        learn(found.spec, found.signature, table, lambda *_: None)
    return time.perf_counter() - began


def latencies(url: str, path: str, seconds: float) -> list[float]:
    """Seconds of each GET of one client that repeats it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
    connection.close()
    return taken


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)]


def predictions(client: Client, url: str) -> tuple[float, float]:
    """p99 of predictions while nothing trains, and while both slots do; alternating, medians."""
    idle, busy = [], []
    path = "/v1/models/line/versions/1/predictions?x=0.5"
    for _ in range(RUNS):
        idle.append(p99(latencies(url, path, 4)))
        jobs = [client.train(LONG)["id"] for _ in range(2)]
        while not all(client.job(job)["progress"] for job in jobs):
            time.sleep(0.05)
        busy.append(p99(latencies(url, path, 4)))
        for job in jobs:
            client.cancel(job)
    return median(idle), median(busy)


def samples_per_second(home: Path, **settings: object) -> float:
    """The speed of one long training."""
    with service(home, **settings) as (client, _):
        job = client.train(LONG)["id"]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.5)
        speed: float = client.job(job)["progress"]["samples_per_second"]
        client.cancel(job)
        return speed


def listing(home: Path) -> tuple[float, float]:
    """Median and p99 of the first page of a list of very many jobs."""
    with service(home) as (client, _):
        made = client.job(next(iter(client.jobs()))["id"])
    engine = open_database(f"sqlite:///{home / 'journal.sqlite'}")
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        row = dict(connection.execute(tables.jobs.select().where(tables.jobs.c.id == made["id"])).mappings().one())
        row.pop("seq")
        connection.execute(insert(tables.jobs), [row | {"id": f"{number:024x}"} for number in range(LISTED)])
    engine.dispose()
    with service(home) as (_, url):
        taken = latencies(url, "/v1/training-jobs", 5) + latencies(url, "/v1/training-jobs?status=succeeded", 5)
    return median(taken), p99(taken)


def main() -> None:
    """Prints the table as Markdown."""
    say: Callable[[str], object] = sys.stdout.write
    say("| what | measured | beside it | ratio | must hold |\n|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        with service(Path(folder) / "home") as (client, url):
            first = [until_first_epoch(client) for _ in range(20)]
            say(f"| POST to the first epoch's event, p50 of 20 | {median(first) * 1000:.0f} ms | | | ≤ 100 ms |\n")
            posted = median([until_succeeded(client) for _ in range(20)])
            by_hand = median([seconds_of(BY_HAND) for _ in range(RUNS)])
            beside = f"`python script.py` by hand {by_hand:.2f} s"
            say(
                f"| POST to `succeeded`, the line, 1000 epochs | {posted:.2f} s | {beside} | {by_hand / posted:.1f} | ≥ 5 |\n"
            )
            jobs, inside = [], []
            for _ in range(3):
                inside.append(seconds_inside(JOBS))
                jobs.append(seconds_of_many(client))
            beside = f"back to back in one process {median(inside):.1f} s"
            ratio = median(inside) / median(jobs)
            say(
                f"| {JOBS} jobs of the line, 1000 epochs, 2 slots | {median(jobs):.1f} s | {beside} | {ratio:.2f} | ≥ 0.8 |\n"
            )
            idle, busy = predictions(client, url)
            say(
                f"| predictions' p99 while both slots train | {busy * 1000:.2f} ms | idle {idle * 1000:.2f} ms "
                f"| {busy / idle:.2f} | ≤ 2 |\n"
            )
        speeds: dict[str, list[float]] = {"with": [], "without": []}
        for number in range(3):
            speeds["with"].append(samples_per_second(Path(folder) / f"w{number}", checkpoint_seconds=0))
            speeds["without"].append(samples_per_second(Path(folder) / f"o{number}", checkpoint_seconds=10**6))
        saved = median(speeds["with"]) / median(speeds["without"])
        beside = f"without checkpoints {median(speeds['without']):,.0f} samples/s"
        text = f"{median(speeds['with']):,.0f} samples/s"
        say(f"| a training that saves as often as it may | {text} | {beside} | {saved:.3f} | ≥ 0.95 |\n")
        middle, slow = listing(Path(folder) / "listed")
        text = f"{slow * 1000:.1f} ms"
        say(
            f"| `GET /v1/training-jobs` among {LISTED:,} jobs, p99 | {text} | p50 {middle * 1000:.1f} ms | | < 10 ms |\n"
        )


if __name__ == "__main__":
    main()
