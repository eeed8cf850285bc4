"""What attempts request of the store, with real runners and attempts, and a store whose answers the tests hold back."""

import os
import signal
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.jobs.errors import AttemptFailed, AttemptPutOff
from service.jobs.job import Job, Status
from service.jobs.journal import Journal
from service.jobs.store_requests import AttemptStore, Summaries
from tests.harness.until import until
from tests.jobs.runners import Start, ended, messages, submit

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
SECONDS = 60.0


class HeldStore(AttemptStore):
    """A store that answers once `free` is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.requests: list[str] = []
        self.published: dict[str, str] = {}  # the content of the file `weights` of each job
        self.released = 0  # how often files were released
        self.fails: Exception | None = None

    def fetch(self, job: Job, files: ExitStack) -> dict[str, Any]:
        files.callback(self._release)
        self._wait("fetch")
        return {"published": True} if job.id in self.published else {"dataset": "here"}

    def publish(
        self, job: Job, manifest: Mapping[str, Any], files: Mapping[str, Path], summaries: Summaries
    ) -> dict[str, Any]:
        self._wait("publish")
        self.published[job.id] = files["weights"].read_text()
        return {"manifest": dict(manifest), "file": str(files["weights"])}

    def _wait(self, request: str) -> None:
        self.requests.append(request)
        assert self.free.wait(SECONDS)
        if self.fails is not None:
            raise self.fails

    def _release(self) -> None:
        self.released += 1


def kill_attempt(journal: Journal, job_id: str) -> None:
    """Kill the process of an attempt that has reported its id."""
    os.kill(int(until(lambda: messages(journal, job_id))[-1]), signal.SIGKILL)


def test_an_attempt_gets_what_its_job_reads_and_it_is_released_at_the_end(start: Start, journal: Journal) -> None:
    store = HeldStore()
    store.free.set()
    job = ended(journal, submit(journal, start(store=store), "fetches"))
    assert (job.status, job.result) == (Status.SUCCEEDED, {"dataset": "here"})
    until(lambda: store.released == 1)


def test_an_attempt_publishes_files_of_its_folder(start: Start, journal: Journal) -> None:
    store = HeldStore()
    store.free.set()
    job = ended(journal, submit(journal, start(store=store), "publishes_slowly"))
    assert job.result is not None and job.result["manifest"] == {"format": 1}
    assert store.published == {job.id: "weights"}
    assert not Path(job.result["file"]).exists()  # the folder of an attempt that has ended is removed


def test_a_job_whose_attempt_dies_while_its_version_is_published_succeeds(start: Start, journal: Journal) -> None:
    store = HeldStore()
    runner = start(store=store)
    job_id = submit(journal, runner, "publishes_slowly")
    until(lambda: store.requests == ["publish"])
    kill_attempt(journal, job_id)
    ended(journal, submit(journal, runner, "fails"))  # so the runner knows that the attempt before has ended
    store.free.set()
    job = ended(journal, job_id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1)
    assert store.published == {job_id: "weights"}


def test_a_job_is_cancelled_while_its_data_are_fetched(start: Start, journal: Journal) -> None:
    store = HeldStore()
    runner = start(store=store)
    job_id = submit(journal, runner, "fetches")
    until(lambda: store.requests == ["fetch"])
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED
    assert store.released == 0  # the fetch still uses them
    store.free.set()
    until(lambda: store.released == 1)


@pytest.mark.parametrize("do", ["fetches", "publishes_slowly"])
def test_a_request_that_the_store_cannot_meet_ends_the_attempt(start: Start, journal: Journal, do: str) -> None:
    store = HeldStore()
    store.fails = AttemptFailed("dataset_deleted", "it was deleted")
    store.free.set()
    job = ended(journal, submit(journal, start(store=store), do))
    assert (job.status, job.error) == ("failed", {"code": "dataset_deleted", "detail": "it was deleted"})


def test_an_attempt_is_put_off_while_the_store_is_unavailable(start: Start, journal: Journal) -> None:
    store = HeldStore()
    store.fails = AttemptPutOff("unavailable", "not now", unpublished=True)
    store.free.set()
    job_id = submit(journal, start(store=store), "publishes_slowly")
    until(lambda: len(store.requests) > 1)
    store.fails = None
    job = ended(journal, job_id)
    assert job.status is Status.SUCCEEDED and job.attempt > 1


def test_an_error_of_the_store_fails_the_job_with_no_detail_of_it(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    store = HeldStore()
    store.fails = ValueError("a secret")
    store.free.set()
    job = ended(journal, submit(journal, start(store=store), "fetches"))
    assert job.error is not None and job.error["code"] == "crashed" and "secret" not in str(job.error)
    assert "a secret" in caplog.text


def test_the_runner_stops_while_the_store_hangs(start: Start, journal: Journal) -> None:
    store = HeldStore()
    runner = start(store=store)
    job_id = submit(journal, runner, "publishes_slowly")
    until(lambda: store.requests == ["publish"])
    runner.stop()
    assert journal.get(job_id).status is Status.QUEUED
    store.free.set()
