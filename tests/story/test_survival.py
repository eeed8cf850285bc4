"""What was acknowledged outlives the service."""

import random
import sqlite3
import threading
import time
from pathlib import Path

import httpx

from tests.story.server import Server, line, until, verify


def test_a_stop_loses_nothing(own: Server) -> None:
    own.client.wait(own.client.train(line(100))["id"])
    own.client.set_alias("line", "production", 1)
    before = own.client.predict("line", inputs={"x": [0.1, 0.5, 0.9]})
    job_id = own.client.train(line(6_000, name="long"))["id"]
    until(lambda: own.client.job(job_id)["progress"])
    (trainer,) = own.children()
    with own.http.stream("GET", f"/v1/training-jobs/{job_id}/events", headers={"Accept": "text/event-stream"}):
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 10, "an open event stream must not hold the stop up"
    assert not Path(f"/proc/{trainer}").exists()
    assert journal_status(own.home, job_id) == "queued"
    assert not list((own.home / "tmp" / "attempts").glob("*"))
    own.start()
    assert own.client.predict("line", inputs={"x": [0.1, 0.5, 0.9]}) == before
    assert [version["version"] for version in own.client.versions("line")] == [1]
    job = own.client.wait(job_id)
    assert job["attempt"] == 2
    assert own.client.metrics(job_id)["epoch"] == list(range(1, 6_001))
    assert own.stop() == 0
    verify(own.home)


def test_kill_9_at_any_moment_loses_no_acknowledged_job(tmp_path: Path) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - to try it again
    dice = random.Random(seed)  # noqa: S311 - no secret
    told: dict[str, str] = {}
    with Server(tmp_path / "home", slots=2) as server:
        for strike in range(3):
            submitting = threading.Thread(target=submit_until_it_dies, args=(server.url, strike, told))
            submitting.start()
            until(lambda: any(job["status"] == "running" for job in server.client.jobs()))
            time.sleep(dice.uniform(0, 0.8))  # the moment of the blow, spread over submit, train and publish
            server.kill()
            submitting.join()
            began = time.monotonic()
            server.start()
            assert time.monotonic() - began < 30
        assert len(told) >= 3
        for job_id, name in told.items():
            job = server.client.wait(job_id)
            assert job["result"]["model_name"] == name
        for name in set(told.values()):
            made = [server.client.manifest(name, each["version"])["job"] for each in server.client.versions(name)]
            assert len(made) == len(set(made)), "a job has published twice"
            assert set(made) >= {job_id for job_id, model in told.items() if model == name}
            ended = server.client.jobs(model_name=name, status="succeeded")
            assert set(made) == {job["id"] for job in ended}
        assert not list(server.client.jobs(status="running"))
        assert server.stop() == 0
    verify(tmp_path / "home")


def submit_until_it_dies(url: str, strike: int, told: dict[str, str]) -> None:
    """Eight jobs at most: enough to keep both slots busy, few enough to be done soon."""
    name = f"line{strike}"
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(), timeout=30) as http:
        for number in range(8):
            try:
                answer = http.post("/v1/training-jobs", json=line(200 * (number % 3), name=name))
            except httpx.TransportError:
                return
            assert answer.status_code == 202
            told[answer.json()["id"]] = name
            time.sleep(0.02)


def journal_status(home: Path, job_id: str) -> str:
    connection = sqlite3.connect(home / "journal.sqlite")
    (status,) = connection.execute("SELECT status FROM jobs WHERE id = ?", (job_id,)).fetchone()
    connection.close()
    return str(status)
