"""SIGTERM during trainings and predictions: everything accepted is kept."""

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.line import line
from tests.harness.server import Server, verify
from tests.harness.until import until
from tests.story.raw_clients import BODY, HEAD, Clients, Connection

NOT_READY_WITHIN = 30.0  # seconds after SIGTERM; immediate on an idle machine
GRACE = 120.0
INPUTS = {"x": [0.1, 0.9]}


class Load:
    """Clients that send requests until the service is gone, and their responses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jobs: list[str] = []
        self.predictions: list[Any] = []
        self.statuses: set[int] = set()
        self.broke_off: list[float] = []  # by the monotonic clock
        self._threads = [threading.Thread(target=each) for each in (self._train, self._train, *[self._predict] * 3)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits until the service is gone."""
        for thread in self._threads:
            thread.join(GRACE)
            assert not thread.is_alive(), "a client still waits for an answer"

    def _train(self) -> None:
        for answer in self._answers("/v1/training-jobs", line(5, name="asked"), 0.02):
            if answer.status_code == 202:
                self.jobs.append(answer.json()["id"])

    def _predict(self) -> None:
        for answer in self._answers("/v1/models/line/versions/1/predictions", {"inputs": INPUTS}, 0):
            if answer.status_code == 200:
                self.predictions.append(answer.json()["predictions"])

    def _answers(self, path: str, body: dict[str, Any], pause: float) -> Iterator[httpx.Response]:
        with httpx.Client(base_url=self.url, transport=httpx.HTTPTransport(), timeout=60) as http:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    answer = http.post(path, json=body)
                    self.statuses.add(answer.status_code)
                    yield answer
                    time.sleep(pause)
            self.broke_off.append(time.monotonic())


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Server]:
    """A service with two slots and a model."""
    with Server(tmp_path / "home", slots=2) as server:
        server.client.wait(server.client.train(line(20))["id"])
        yield server


def test_a_stop_under_load_loses_nothing_that_was_accepted(busy: Server) -> None:
    expected = busy.client.predict("line", inputs=INPUTS)["predictions"]
    running = [busy.client.train(line(2_000_000, name="long", priority=1))["id"] for _ in range(2)]
    until(lambda: all(busy.client.job(job_id)["progress"] for job_id in running))
    load = Load(busy.url)
    until(lambda: len(load.jobs) >= 10 and len(load.predictions) >= 10)
    signalled = time.monotonic()
    busy.process.terminate()
    until(lambda: not ready(busy.url), NOT_READY_WITHIN)
    assert busy.wait() == 0
    load.join()
    assert min(load.broke_off) >= signalled, "a client was cut off before SIGTERM"
    assert load.statuses <= {200, 202, 503}
    assert all(each == expected for each in load.predictions)
    journal = states(busy.home)
    assert {job_id: journal.get(job_id, ("lost",))[0] for job_id in load.jobs} == dict.fromkeys(load.jobs, "queued")
    assert {job_id: journal[job_id] for job_id in running} == dict.fromkeys(running, ("queued", "stopped"))
    busy.start()
    until(lambda: all(busy.client.job(job_id)["attempt"] == 2 for job_id in running))
    assert {*load.jobs, *running} <= {job["id"] for job in busy.client.jobs()}
    assert busy.stop() == 0
    verify(busy.home)


WORKERS = [2 - number % 2 for number in range(int(os.environ.get("STOPS", "1")))]


@pytest.mark.parametrize("workers", WORKERS, ids=[f"{number}-workers{each}" for number, each in enumerate(WORKERS)])
def test_a_stop_under_load_drops_no_request(tmp_path: Path, workers: int) -> None:
    with Server(tmp_path / "home", workers=workers, stop_delay_seconds=1) as server:
        server.client.wait(server.client.train(line())["id"])
        url = httpx.URL(server.url)
        idle = Connection((url.host, url.port or 0))
        idle.send(HEAD + BODY)
        assert idle.answer()[0] == 200
        clients = Clients((url.host, url.port or 0))
        until(lambda: clients.answered > 300)
        server.process.terminate()
        until(lambda: not ready(server.url), NOT_READY_WITHIN)
        noticed, before = time.monotonic(), clients.answered
        with contextlib.closing(idle):
            assert idle.closed()
        assert server.wait() == 0
        clients.join()
    assert clients.dropped == []
    assert clients.answered > before, "no request was answered after the stop was announced"
    assert max(clients.not_last) < noticed, "a reply after that was not its connection's last"
    assert '"level":"error"' not in server.log()


def ready(url: str) -> bool:
    """Whether /readyz is 200, on a connection of its own, as a load balancer would check."""
    try:
        return httpx.get(f"{url}/readyz", timeout=GRACE, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def states(home: Path) -> dict[str, tuple[str, str | None]]:
    """Each job's status and the reason for the end of its last attempt."""
    query = """SELECT jobs.id, jobs.status, attempts.cause FROM jobs
               LEFT JOIN attempts ON attempts.job_seq = jobs.seq AND attempts.number = jobs.attempt"""
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as connection:
        rows = connection.execute(query).fetchall()
    return {job_id: (status, json.loads(cause)["code"] if cause else None) for job_id, status, cause in rows}
