"""Jobs over HTTP: events, cancel, idempotency, and trainers that die."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson

from tests.harness.line import line
from tests.harness.server import Server, children
from tests.harness.until import until

LONG = 2_000_000  # epochs that would take many minutes


def stream(server: Server, job_id: str, last: int | None = None) -> list[dict[str, Any]]:
    """All events until the server closes the stream."""
    headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": str(last)})
    with server.http.stream("GET", f"/v1/training-jobs/{job_id}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        blocks = b"".join(response.iter_raw()).decode().split("\n\n")
    fields = [
        dict(row.split(": ", 1) for row in block.splitlines()) for block in blocks if block.strip() and block[0] != ":"
    ]
    events: list[dict[str, Any]] = [orjson.loads(each["data"]) for each in fields]
    assert [each["id"] for each in fields] == [str(event["id"]) for event in events]
    assert [each["event"] for each in fields] == [event["type"] for event in events]
    return events


def running(server: Server, job_id: str) -> dict[str, Any]:
    """The job once it has reported an epoch."""

    def get_running() -> dict[str, Any] | None:
        job = server.client.job(job_id)
        assert job["status"] not in ("failed", "cancelled"), job
        return job if job["progress"] else None

    job: dict[str, Any] = until(get_running)
    return job


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(pid, 9)


def train_and_strike(server: Server, name: str, strike: Callable[[], None]) -> str:
    """The model of a job that was hit by `strike` in training, was retried and has ended with all its epochs.

    If the training ends before the strike, the next one takes longer.
    """
    for epochs in (3_000, 12_000, 48_000, 192_000):
        model = f"{name}-{epochs}"
        job_id = server.client.train(line(epochs, name=model))["id"]
        running(server, job_id)
        strike()
        if (attempt := server.client.wait(job_id)["attempt"]) > 1:
            assert attempt == 2
            stored = server.client.metrics(job_id)["epoch"]  # thinned when they are more than 10,000
            assert stored == list(range(1, epochs + 1)) if epochs < 10_000 else (stored[0], stored[-1]) == (1, epochs)
            return model
    raise AssertionError("no blow was quicker than a training")


def test_events_come_live_and_are_replayed(server: Server) -> None:
    job_id = server.client.train(line(300, name="events"))["id"]
    live = stream(server, job_id)
    assert [event["id"] for event in live] == list(range(1, len(live) + 1))
    states = [event["data"]["status"] for event in live if event["type"] == "status"]
    assert states == ["queued", "running", "succeeded"]
    epochs = [event["data"]["epoch"] for event in live if event["type"] == "metrics"]
    assert epochs == sorted(epochs)
    assert epochs[-1] == 300
    assert stream(server, job_id, last=2) == live[2:]
    assert server.http.get(f"/v1/training-jobs/{job_id}/events").json()["data"] == live
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(live[-1]["id"])}
    assert server.http.get(f"/v1/training-jobs/{job_id}/events", headers=headers).status_code == 204


def test_cancel_ends_a_training_at_once_and_leaves_no_process(server: Server) -> None:
    job_id = server.client.train(line(LONG, name="cancelled"))["id"]
    running(server, job_id)
    assert server.attempts()
    assert server.client.cancel(job_id)["status"] == "cancelled"  # after 5 s the answer would be another
    assert server.attempts() == []
    assert server.client.cancel(job_id)["status"] == "cancelled"
    assert server.http.get("/v1/models/cancelled").status_code == 404
    assert stream(server, job_id)[-1]["data"]["status"] == "cancelled"


def test_a_waiting_job_is_cancelled(server: Server) -> None:
    first = server.client.train(line(LONG, name="first"))["id"]
    waiting = server.client.train(line(0, name="waiting"))["id"]
    assert server.client.cancel(waiting)["status"] == "cancelled"
    server.client.cancel(first)
    answer = server.http.post(f"/v1/training-jobs/{waiting}/cancel")
    assert answer.status_code == 200
    done = server.client.wait(server.client.train(line(0, name="done"))["id"])
    refused = server.http.post(f"/v1/training-jobs/{done['id']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")


def test_a_hundred_parallel_posts_of_one_key_make_one_job(server: Server) -> None:
    limits = httpx.Limits(max_connections=20)
    with (
        httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(limits=limits), timeout=60) as http,
        ThreadPoolExecutor(20) as pool,
    ):

        def post(_: int) -> str:
            answer = http.post("/v1/training-jobs", json=line(0, name="once"), headers={"Idempotency-Key": "once"})
            assert answer.status_code == 202, answer.text
            job_id: str = answer.json()["id"]
            return job_id

        assert len(set(pool.map(post, range(100)))) == 1
    other = server.http.post("/v1/training-jobs", json=line(1, name="once"), headers={"Idempotency-Key": "once"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(list(server.client.jobs(model_name="once"))) == 1


def test_a_killed_training_is_tried_again(server: Server) -> None:
    model = train_and_strike(server, "killed", lambda: kill(server.attempts()))
    assert [version["version"] for version in server.client.versions(model)] == [1]


def test_a_training_that_is_killed_again_and_again_fails(server: Server) -> None:
    job_id = server.client.train(line(LONG, name="doomed"))["id"]

    def failed() -> Any:
        kill(server.attempts())
        job = server.client.job(job_id)
        return job if job["status"] == "failed" else None

    job = until(failed)
    assert job["error"]["code"] == "crashed"
    assert job["attempt"] == 3
    assert server.http.get("/v1/models/doomed").status_code == 404


def test_a_killed_trainer_server_is_replaced_and_its_job_ends(server: Server) -> None:
    lost: set[int] = set()
    left: set[int] = set()

    def strike() -> None:
        (trainer,) = server.children()
        lost.add(trainer)
        left.update(children(trainer))
        kill([trainer])

    model = train_and_strike(server, "orphaned", strike)
    assert not lost & set(server.children())
    assert not left & set(server.attempts())
    assert [version["version"] for version in server.client.versions(model)] == [1]


def test_a_damaged_row_of_the_journal_is_reported_and_affects_no_other(own: Server) -> None:
    own.client.upload_dataset("table", b"a,b\n" + b"1,2\n2,4\n" * 20, "text/csv")
    holder = own.client.train(line(LONG, name="holder"))["id"]
    running(own, holder)
    names = ("spec", "status", "context")
    spoilt = [own.client.train(line(20, name=name))["id"] for name in names]
    behind = own.client.train(line(20, name="behind"))["id"]
    with contextlib.closing(sqlite3.connect(own.home / "journal.sqlite")) as connection:
        for name, job_id in zip(names, spoilt, strict=True):
            (text,) = connection.execute(f"SELECT {name} FROM jobs WHERE id = ?", (job_id,)).fetchone()  # noqa: S608 - ours
            flipped = text[:3] + chr(ord(text[3]) ^ 1) + text[4:]
            connection.execute(f"UPDATE jobs SET {name} = ? WHERE id = ?", (flipped, job_id))  # noqa: S608 - ours
        connection.commit()
    shown = {job["id"]: job for job in own.http.get("/v1/training-jobs").json()["data"]}
    assert [shown[job_id]["error"]["code"] for job_id in spoilt] == ["journal_damaged"] * 3
    assert shown[behind]["status"] == "queued"
    assert own.http.get("/metrics").status_code == 200
    assert own.http.delete("/v1/datasets/table").status_code in (200, 204)
    assert own.http.post(f"/v1/training-jobs/{spoilt[0]}/cancel").json()["status"] == "cancelled"
    own.client.cancel(holder)
    assert own.client.wait(behind)["status"] == "succeeded"
    assert own.http.post(f"/v1/training-jobs/{spoilt[1]}/cancel").json()["status"] == "cancelled"
    assert own.http.get(f"/v1/training-jobs/{spoilt[2]}").json()["error"]["code"] == "journal_damaged"
