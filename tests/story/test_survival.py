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
    job_id, epochs = stop_in_training(own)
    own.start()
    assert own.client.predict("line", inputs={"x": [0.1, 0.5, 0.9]}) == before
    assert [version["version"] for version in own.client.versions("line")] == [1]
    job = own.client.wait(job_id)
    assert job["attempt"] == 2
    assert own.client.metrics(job_id)["epoch"] == list(range(1, epochs + 1))
    assert own.stop() == 0
    verify(own.home)


def stop_in_training(own: Server) -> tuple[str, int]:
    """Stops the service: the job that trained then, and its epochs. One that ends before is followed by a longer one."""
    for epochs in (6_000, 24_000, 96_000, 384_000):
        job_id = own.client.train(line(epochs, name="long"))["id"]
        until(lambda: own.client.job(job_id)["progress"])  # noqa: B023 - used at once
        (trainer,) = own.children()
        with own.http.stream("GET", f"/v1/training-jobs/{job_id}/events", headers={"Accept": "text/event-stream"}):
            assert own.stop() == 0
        assert "timeout graceful shutdown exceeded" not in own.said(), "an open event stream must not hold the stop up"
        assert not Path(f"/proc/{trainer}").exists()
        assert not list((own.home / "tmp" / "attempts").glob("*"))
        if (status := journal_status(own.home, job_id)) != "succeeded":
            assert status == "queued"
            return job_id, epochs
        own.start()
    raise AssertionError("no stop was quicker than a training")


def test_kill_9_at_any_moment_loses_no_acknowledged_job(tmp_path: Path) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - to try it again
    dice = random.Random(seed)  # noqa: S311 - no secret
    told: dict[str, str] = {}
    with Server(tmp_path / "home", slots=2) as server:
        for strike in range(3):
            submitting = threading.Thread(target=submit_until_it_dies, args=(server.url, strike, told))
            before = len(told)
            submitting.start()
            until(lambda: len(told) > before)  # noqa: B023 - used at once
            until(lambda: any(job["status"] != "queued" for job in server.client.jobs()))
            time.sleep(dice.uniform(0, 0.8))  # the moment of the blow, spread over submit, train and publish
            server.kill()
            submitting.join()
            server.start()
        assert len(told) >= 3
        for job in list(server.client.jobs()):  # with those whose acknowledgement the blow has cut off
            server.client.wait(job["id"])
        for job_id, name in told.items():
            assert server.client.job(job_id)["result"]["model_name"] == name
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
