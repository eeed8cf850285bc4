import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

from service.jobs.attempt import BETWEEN_REPORTS
from service.jobs.errors import IllegalMove
from service.jobs.executors.local.executor import LocalAttempt, LocalExecutor
from service.jobs.job import Status
from service.jobs.journal import Journal
from tests.harness.until import until
from tests.jobs.runners import FORKED_OR_SPAWNED, Start, alive, ended, messages, submit

# Managing processes does not depend on the database; story/test_postgres.py runs a runner on PostgreSQL.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@FORKED_OR_SPAWNED
def test_an_attempt_runs_in_its_own_process_and_its_messages_are_kept(
    start: Start, journal: Journal, forks: bool
) -> None:
    runner = start(forks=forks)
    job = ended(journal, submit(journal, runner, "quick"))
    assert job.status is Status.SUCCEEDED
    assert job.result is not None
    assert job.result["attempt"] == 1
    assert job.result["setting"] == "value"
    assert job.result["pid"] not in (os.getpid(), runner.trainer_pid)
    assert job.result["nice"] >= 10
    assert job.metrics == {"train_loss": 1 / 3}
    assert job.progress["fraction"] == 1
    assert journal.metrics(job.id) == {"epoch": [1, 2, 3], "train_loss": [1, 1 / 2, 1 / 3]}
    assert messages(journal, job.id) == ["nearly there"]


def test_reports_of_many_epochs_are_bundled_and_none_is_lost(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(), "many"))
    assert journal.metrics(job.id)["epoch"] == list(range(1, 301))
    assert job.result is not None
    reports = [event for event in journal.events(job.id) if event.type == "metrics"]
    assert len(reports) <= job.result["seconds"] / BETWEEN_REPORTS + 2  # the first and the last report are sent at once


def test_a_failure_keeps_its_code_and_the_earlier_messages(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(), "fails"))
    assert job.status is Status.FAILED
    assert job.error == {"code": "training_diverged", "detail": "the loss became NaN in epoch 2"}
    assert journal.metrics(job.id) == {"epoch": [1, 2], "train_loss": [1.0, None]}


def test_an_error_of_the_software_fails_the_job_at_once(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "service.jobs.executors.local.output"):
        job = ended(journal, submit(journal, start(), "raises"))
        until(lambda: f"job {job.id} prints: ValueError" in caplog.text)  # its last messages arrive after its end
    assert (job.status, job.attempt) == ("failed", 1)
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert job.id not in job.error["detail"]


@FORKED_OR_SPAWNED
@pytest.mark.parametrize(("do", "how"), [("dies", "signal 9"), ("exits", "exit status")])
def test_a_crash_is_tried_again_and_then_fails(start: Start, journal: Journal, do: str, how: str, forks: bool) -> None:
    job = ended(journal, submit(journal, start(forks=forks), do))
    assert (job.status, job.attempt) == ("failed", 3)
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert how in job.error["detail"]


def test_a_job_succeeds_after_a_single_crash(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(), "dies_once"))
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert journal.metrics(job.id)["epoch"] == [1, 2, 3]


def test_output_of_an_attempt_is_logged_up_to_a_limit(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "service.jobs.executors.local.output"):
        job = ended(journal, submit(journal, start(), "prints"))
        until(lambda: "the rest is dropped" in caplog.text)
    assert job.result == {"printed": True}
    printed = [record.getMessage() for record in caplog.records]
    assert f"job {job.id} prints: {'x' * 100}" in printed
    assert sum(map(len, printed)) < 4 * 65_536


@FORKED_OR_SPAWNED
def test_a_job_and_a_message_may_be_long(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    job = ended(journal, submit(journal, runner, "large", rows="x" * 5_000_000))
    assert job.result == {"length": 5_000_000}
    assert [len(message) for message in messages(journal, job.id)] == [5_000_000]


def test_the_number_of_running_attempts_is_bounded_by_the_slots(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    runner = start(slots=2)
    jobs = [submit(journal, runner, "silent", **{"while": str(flag)}) for _ in range(5)]
    until(lambda: len(journal.list_jobs(status=Status.RUNNING)[0]) == 2)
    assert len(journal.list_jobs(status=Status.QUEUED)[0]) == 3
    flag.unlink()
    assert {ended(journal, job).status for job in jobs} == {Status.SUCCEEDED}


@FORKED_OR_SPAWNED
def test_cancel_ends_a_running_job_at_once(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    job_id = submit(journal, runner, "slow")
    pid = int(until(lambda: messages(journal, job_id))[0])
    began = time.monotonic()
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED
    assert time.monotonic() - began < 30  # takes some hundredths of a second; the attempt would run for a minute
    assert not alive(pid)  # the trainer server has waited for it


@FORKED_OR_SPAWNED
def test_an_attempt_can_be_cancelled_while_it_starts(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    until(lambda: runner.ready)
    for _ in range(5):
        job_id = submit(journal, runner, "slow")
        until(lambda: journal.get(job_id).status is Status.RUNNING)  # noqa: B023 - used at once
        journal.cancel(job_id)
        runner.wake()
        assert ended(journal, job_id).status is Status.CANCELLED
    assert ended(journal, submit(journal, runner, "quick")).status is Status.SUCCEEDED  # every slot is free again


def test_a_cancellation_by_another_process_is_seen(start: Start, journal: Journal, engine: Engine) -> None:
    job_id = submit(journal, start(), "slow")
    until(lambda: messages(journal, job_id))
    Journal(engine).cancel(job_id)  # no notification, no wake
    assert ended(journal, job_id).status is Status.CANCELLED


def test_a_publishing_job_is_not_cancelled(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    job_id = submit(journal, start(), "publishing", **{"while": str(flag)})
    until(lambda: messages(journal, job_id))
    with pytest.raises(IllegalMove):
        journal.cancel(job_id)
    flag.unlink()
    assert ended(journal, job_id).status is Status.SUCCEEDED


def test_a_shortage_of_descriptors_fails_no_job(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = start(slots=1)
    until(lambda: runner.ready)
    left = [5]
    real = socket.socketpair

    def short(*arguments: Any, **more: Any) -> Any:
        if threading.current_thread().name == "runner" and left[0]:
            left[0] -= 1
            raise OSError(24, "Too many open files")
        return real(*arguments, **more)

    monkeypatch.setattr(socket, "socketpair", short)
    job = ended(journal, submit(journal, runner, "quick"))
    assert job.status is Status.SUCCEEDED
    assert left == [0]


def test_a_claimed_job_that_cannot_start_is_released(start: Start, journal: Journal) -> None:
    failures = [1]

    class FailsOnce(LocalExecutor):
        def start_attempt(self, job: dict[str, Any]) -> LocalAttempt:
            if failures.pop() if failures else False:
                raise RuntimeError("failed between the claim and the start")
            return super().start_attempt(job)

    job = ended(journal, submit(journal, start(executor=FailsOnce), "quick"))
    assert (job.status, job.attempt) == ("succeeded", 2)


def test_a_trainer_server_that_ends_as_an_attempt_starts_is_no_error_of_the_runner(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    kills = [1]

    class KilledFirst(LocalExecutor):
        def start_attempt(self, job: dict[str, Any]) -> LocalAttempt:
            if kills.pop() if kills else False:
                server = psutil.Process(self.pid)
                server.kill()
                until(lambda: server.status() == psutil.STATUS_ZOMBIE)
            return super().start_attempt(job)

    job = ended(journal, submit(journal, start(executor=KilledFirst), "quick"))
    assert job.status is Status.SUCCEEDED and job.attempt > 1
    assert not [record for record in caplog.records if record.exc_info]


class KillsTooLate(LocalExecutor):
    """An executor whose `kill` has no effect, as for a process that has no pid yet."""

    def start_attempt(self, job: dict[str, Any]) -> LocalAttempt:
        attempt = super().start_attempt(job)
        attempt.kill = lambda: None  # type: ignore[method-assign]
        return attempt


@pytest.mark.parametrize("executor", [LocalExecutor, KillsTooLate])
def test_a_message_that_cannot_be_stored_ends_the_attempt(
    start: Start, journal: Journal, executor: type[LocalExecutor]
) -> None:
    job = ended(journal, submit(journal, start(executor=executor), "sends_an_invalid_message"))
    assert (job.status, job.attempt) == ("failed", 3)
    assert job.error is not None and job.error["code"] == "crashed"  # it may not publish meanwhile
