"""Processes and files of an attempt end with it, failures are attributed to their cause, and hung servers are replaced."""

import os
import signal
import time
from pathlib import Path

import pytest

from service.jobs.job import Status
from service.jobs.journal import Journal
from service.jobs.limits import AttemptLimits
from service.settings import OBJECT_STORES, SECRETS
from tests.harness.until import until
from tests.jobs.runners import FORKED_OR_SPAWNED, Start, alive, ended, messages, submit

# As in test_runner.py.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@FORKED_OR_SPAWNED
@pytest.mark.parametrize("hides", [True, False])
def test_a_child_that_stays_does_not_keep_a_cancelled_job_running(
    start: Start, journal: Journal, forks: bool, hides: bool
) -> None:
    runner = start(slots=1, forks=forks)
    job_id = submit(journal, runner, "forks_a_child_that_stays", goes_on=True, hides=hides)
    child = int(until(lambda: messages(journal, job_id))[0])
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED
    until(lambda: not alive(child))
    assert ended(journal, submit(journal, runner, "quick")).status is Status.SUCCEEDED


@FORKED_OR_SPAWNED
@pytest.mark.parametrize("hides", [True, False])
def test_no_process_outlives_a_successful_attempt(start: Start, journal: Journal, forks: bool, hides: bool) -> None:
    runner = start(slots=1, forks=forks)
    job = ended(journal, submit(journal, runner, "forks_a_child_that_stays", hides=hides))
    assert job.status is Status.SUCCEEDED
    until(lambda: not [pid for pid in map(int, messages(journal, job.id)) if alive(pid)])
    assert len(messages(journal, job.id)) <= 1


@FORKED_OR_SPAWNED
def test_temporary_files_are_removed_with_their_attempt(
    start: Start, journal: Journal, tmp_path: Path, forks: bool
) -> None:
    job = ended(journal, submit(journal, start(forks=forks), "leaves_a_file"))
    assert job.result is not None
    assert Path(job.result["file"]).is_relative_to(tmp_path)
    assert Path(job.result["file"]).parent == Path(job.result["temporary"])
    assert not Path(job.result["file"]).exists()


def test_a_child_does_not_outlive_the_trainer_server(start: Start, journal: Journal) -> None:
    runner = start(slots=1)
    job_id = submit(journal, runner, "forks_a_child_that_stays", goes_on=True)
    child = int(until(lambda: messages(journal, job_id))[0])
    assert runner.trainer_pid is not None
    os.kill(runner.trainer_pid, signal.SIGKILL)
    until(lambda: not alive(child))
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED


def test_memory_of_child_processes_counts(start: Start, journal: Journal) -> None:
    runner = start(limits=AttemptLimits(memory_bytes=600 * 2**20))
    job = ended(journal, submit(journal, runner, "allocates_memory_in_a_child"))
    assert job.error is not None
    assert job.error["code"] == "out_of_memory"


@pytest.mark.parametrize("named", [True, False])
def test_disk_space_of_an_attempt_is_freed(start: Start, journal: Journal, named: bool) -> None:
    runner = start(limits=AttemptLimits(free_disk_bytes=2**62, temporary_bytes=2**20))
    beside = submit(journal, runner, "slow")
    job = ended(journal, submit(journal, runner, "holds_files_once", named=named))
    assert job.status is Status.SUCCEEDED
    (cause,) = [attempt.cause for attempt in journal.attempts(job.id) if attempt.cause]
    assert cause["code"] == "no_space"
    assert (journal.get(beside).status, journal.get(beside).attempt) == (Status.RUNNING, 1)


def test_attempts_beside_one_that_kills_the_trainer_server_are_not_blamed(
    start: Start, journal: Journal, tmp_path: Path
) -> None:
    runner = start(slots=2)
    beside = str(tmp_path / "beside")
    innocent = submit(journal, runner, "bystander", beside=beside)
    guilty = submit(journal, runner, "kills_the_trainer_server", beside=beside)
    assert ended(journal, innocent).status is Status.SUCCEEDED
    failed = ended(journal, guilty)
    assert failed.error is not None
    assert (failed.status, failed.error["code"]) == ("failed", "crashed")
    causes = [attempt.cause["code"] for attempt in journal.attempts(innocent) if attempt.cause]
    assert set(causes) == {"trainer_server_lost"}


def test_an_unresponsive_trainer_server_is_replaced(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    runner = start(slots=2, hung_after=2.0)
    until(lambda: runner.ready)
    stopped = runner.trainer_pid
    job_id = submit(journal, runner, "stops_the_trainer_server")
    until(lambda: messages(journal, job_id))
    cancelled = submit(journal, runner, "slow")  # cannot even start
    until(lambda: journal.get(cancelled).status is Status.RUNNING)
    journal.cancel(cancelled)
    runner.wake()
    assert ended(journal, cancelled).status is Status.CANCELLED
    assert ended(journal, job_id).status is Status.SUCCEEDED
    assert runner.trainer_pid != stopped
    assert not alive(stopped or 0)
    assert "the trainer server hangs" in caplog.text


def test_an_idle_trainer_server_is_not_replaced(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    runner = start(slots=1, hung_after=3.0)
    until(lambda: runner.ready)
    first, began = runner.trainer_pid, time.monotonic()
    until(lambda: time.monotonic() > began + 4.0)
    assert runner.trainer_pid == first
    assert "the trainer server hangs" not in caplog.text


@FORKED_OR_SPAWNED
def test_no_secret_of_the_service_is_in_the_environment_of_an_attempt(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch, forks: bool
) -> None:
    for name in (*SECRETS, "signing_key_file"):
        monkeypatch.setenv(f"MODELWRIGHT_{name.upper()}", f"hidden {name}")
    for prefix in OBJECT_STORES:
        monkeypatch.setenv(f"{prefix}SECRET", "hidden")
    job = ended(journal, submit(journal, start(forks=forks), "returns_its_environment"))
    assert job.result is not None
    assert "PATH" in job.result["environment"]
    assert "hidden" not in job.result["environment"]
