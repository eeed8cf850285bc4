"""Two services on one journal and one home: each shows the jobs of the other, and resumes those of a dead one."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness.line import line
from tests.harness.server import Server, verify
from tests.harness.until import until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The first trains one job at a time; the second would train what the first leaves. A test that kills one starts it
    again."""
    home = tmp_path_factory.mktemp("two") / "home"
    with Server(home, slots=1, checkpoint_seconds=0.1) as first:
        job = first.client.train(line(0, name="warm"))
        first.client.wait(job["id"])  # its trainer server has loaded, so it will be the quicker one
        with Server(home, log="second", slots=1, checkpoint_seconds=0.1) as second:
            yield first, second
            for server in (first, second):
                assert server.stop() == 0


def test_each_service_shows_the_jobs_of_the_other(pair: tuple[Server, Server]) -> None:
    jobs = [pair[0].client.train(line(3000, name=f"line{number}"))["id"] for number in range(4)]
    for server in pair:
        for job_id in jobs:
            events = list(server.client.events(job_id))
            assert [event["id"] for event in events] == sorted({event["id"] for event in events})
            assert events[-1]["data"]["status"] == "succeeded"
            middle = events[len(events) // 2]["id"]
            assert list(server.client.events(job_id, last_event_id=middle)) == [e for e in events if e["id"] > middle]
    for job_id in jobs:
        assert pair[0].client.job(job_id) == pair[1].client.job(job_id)
        assert pair[0].client.job(job_id)["attempt"] == 1
    names = [f"line{number}" for number in range(4)]
    assert [[version["version"] for version in pair[1].client.versions(name)] for name in names] == [[1]] * 4


def test_another_service_resumes_the_job_of_a_killed_one_to_the_same_bits(pair: tuple[Server, Server]) -> None:
    for epochs in (12_000, 48_000, 192_000):
        owner, other, job_id = pair_with_running_job(pair, epochs)
        owner.kill()
        job = other.client.wait(job_id)
        owner.start()
        if job["attempt"] > 1:
            break  # else the training ended before the kill
    undisturbed = other.client.wait(other.client.train(job["spec"] | {"model_name": "whole"})["id"])
    assert job["attempt"] == 2
    assert [attempt["status"] for attempt in other.client.attempts(job_id)] == ["queued", "succeeded"]
    assert other.client.attempts(job_id)[0]["cause"]["code"] == "lease_lost"
    assert any("continues after epoch" in text for text in messages(other, job_id))
    assert digest(other, job) == digest(other, undisturbed)
    assert other.client.metrics(job_id)["epoch"] == other.client.metrics(undisturbed["id"])["epoch"]
    verify(other.home)


@pytest.mark.nightly
def test_a_paused_process_loses_its_jobs_and_does_no_harm_when_resumed(pair: tuple[Server, Server]) -> None:
    owner, other, job_id = pair_with_running_job(pair, 20_000)
    pause_outside_transaction(owner)
    try:
        until(lambda: other.client.job(job_id)["attempt"] == 2)
    finally:
        owner.process.send_signal(signal.SIGCONT)
    job = other.client.wait(job_id)
    assert job["attempt"] == 2
    assert owner.client.job(job_id)["status"] == "succeeded"
    assert [version["version"] for version in owner.client.versions(job["result"]["model_name"])] == [1]


def pause_outside_transaction(server: Server) -> None:
    """Stops the process outside of a transaction: SQLite's lock would stay taken."""
    while True:
        server.process.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(server.process.pid).status() == psutil.STATUS_STOPPED)
        journal = sqlite3.connect(server.home / "journal.sqlite", timeout=0, isolation_level=None)
        with closing(journal), suppress(sqlite3.OperationalError):
            journal.execute("BEGIN IMMEDIATE")
            return
        server.process.send_signal(signal.SIGCONT)


def pair_with_running_job(pair: tuple[Server, Server], epochs: int) -> tuple[Server, Server, str]:
    """The service that runs a training with a saved checkpoint, the other one, and the job: with that many epochs, or
    more if it ended too early."""
    for times in (1, 4, 16):
        job = pair[0].client.train(line(epochs * times, name=f"parted-{epochs * times}"))
        until(lambda: saved(pair[0], job["id"]) or pair[0].client.job(job["id"])["status"] == "succeeded")  # noqa: B023
        for owner, other in (pair, pair[::-1]):
            if owner.attempts():
                return owner, other, job["id"]
    raise AssertionError("every training was over before anybody had looked")


def saved(server: Server, job_id: str) -> list[Path]:
    """The checkpoints of a job."""
    return list((server.home / "checkpoints" / job_id).glob("*.safetensors"))


def messages(server: Server, job_id: str) -> list[str]:
    """The messages of the attempts."""
    events: list[dict[str, Any]] = list(server.client.events(job_id))
    return [event["data"]["text"] for event in events if event["type"] == "message"]


def digest(server: Server, job: dict[str, Any]) -> str:
    """The digest of the job's parameters."""
    made = job["result"]
    files = server.client.manifest(made["model_name"], made["version"])["files"]
    sha256: str = files["state_dict.safetensors"]["sha256"]
    return sha256
