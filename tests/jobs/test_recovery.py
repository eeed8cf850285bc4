import logging
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from service.jobs.database import open_database
from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.leases import Leases, LeaseTimes
from service.jobs.limits import AttemptLimits
from service.jobs.ownership import Ownership
from tests.harness.until import until
from tests.jobs.runners import FORKED_OR_SPAWNED, RESTART_SECONDS, Start, alive, ended, messages, submit

# As in test_runner.py.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@FORKED_OR_SPAWNED
def test_a_killed_trainer_server_gives_its_jobs_to_the_next(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(slots=2, forks=forks)
    flags = [submit(journal, runner, "slow") for _ in range(2)]
    pids = [int(until(lambda: messages(journal, job_id))[0]) for job_id in flags]  # noqa: B023 - used at once
    lost = runner.trainer_pid
    assert lost is not None
    os.kill(lost, 9)
    until(lambda: all(len(messages(journal, job_id)) == 2 for job_id in flags))
    assert runner.trainer_pid not in (lost, None)
    # Killed with their parent, but reaped by the system a little later.
    until(lambda: not any(map(alive, pids)))
    assert [journal.get(job_id).attempt for job_id in flags] == [2, 2]
    for job_id in flags:
        journal.cancel(job_id)
    runner.wake()
    assert {ended(journal, job_id).status for job_id in flags} == {Status.CANCELLED}


def test_messages_of_a_dead_trainer_server_are_ignored(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    runner = start(slots=2, forks=True)
    for _ in range(3):  # each time all of them close at once: its socket, those of its attempts, and their output
        jobs = [submit(journal, runner, "slow") for _ in range(2)]
        until(lambda: all(messages(journal, job_id) for job_id in jobs))  # noqa: B023 - used at once
        pid = runner.trainer_pid
        assert pid is not None
        os.kill(pid, 9)
        until(lambda: all(len(messages(journal, job_id)) == 2 for job_id in jobs))  # noqa: B023 - used at once
        for job_id in jobs:
            journal.cancel(job_id)
        runner.wake()
        assert {ended(journal, job_id).status for job_id in jobs} == {Status.CANCELLED}
    assert "error in the runner" not in caplog.text


def test_a_job_handed_to_a_dying_trainer_server_is_not_blamed(start: Start, journal: Journal) -> None:
    runner = start(slots=1)
    for _ in range(6):  # more often than a job may crash
        until(lambda: runner.ready)
        pid = runner.trainer_pid
        assert pid is not None
        os.kill(pid, 9)
        job_id = submit(journal, runner, "quick")  # races with the detection of its death
        assert ended(journal, job_id).status is Status.SUCCEEDED


def test_a_trainer_server_that_cannot_load_is_restarted_with_growing_delays(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "service.jobs.executors.local.executor"):
        runner = start(entry="tests.jobs.work:no_such_function")
        job_id = submit(journal, runner, "quick")
        until(lambda: len(caplog.records) >= 3)
    assert journal.get(job_id).status is Status.QUEUED
    waits = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert waits[:3] == [2 * RESTART_SECONDS, 4 * RESTART_SECONDS, 8 * RESTART_SECONDS]


def test_stop_requeues_the_jobs_and_the_next_runner_ends_them(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    runner = start()
    slow = submit(journal, runner, "slow")
    silent = submit(journal, runner, "silent", **{"while": str(flag)})
    waiting = submit(journal, runner, "silent", **{"while": str(flag)})  # does not end before the stop, if it starts
    pid = int(until(lambda: messages(journal, slow))[0])
    until(lambda: journal.get(silent).status is Status.RUNNING)
    journal.cancel(slow)
    runner.stop()
    until(lambda: not alive(pid))  # killed, but reaped a little later
    assert [journal.get(job_id).status for job_id in (slow, silent, waiting)] == ["cancelled", "queued", "queued"]
    flag.unlink()
    start()
    assert [ended(journal, job_id).status for job_id in (silent, waiting)] == ["succeeded", "succeeded"]


def test_stop_while_the_trainer_server_still_loads(start: Start, journal: Journal) -> None:
    runner = start(entry="tests.jobs.never_loaded:work")
    job_id = submit(journal, runner, "quick")
    runner.stop()
    runner.wake()  # a late call does no harm
    assert journal.get(job_id).status is Status.QUEUED


def test_two_services_share_the_jobs_and_run_each_once(start: Start, journal: Journal) -> None:
    runners = [start(slots=1), start(slots=1)]
    jobs = [submit(journal, None, "quick") for _ in range(20)]
    for runner in runners:
        runner.wake()
    done = [ended(journal, job_id) for job_id in jobs]
    assert {(job.status, job.attempt) for job in done} == {(Status.SUCCEEDED, 1)}


def test_the_job_of_a_service_that_died_here_is_taken_over_at_once(
    start: Start, journal: Journal, queue: JobQueue, tmp_path: Path
) -> None:
    (tmp_path / "owners").mkdir()
    (tmp_path / "owners" / "0123456789abcdef").touch()
    job_id = submit(journal, None, "quick")
    queue.claim("0123456789abcdef")
    left = tmp_path / "tmp" / "attempts" / f"{job_id}-1"
    left.mkdir(parents=True)
    start()
    job = ended(journal, job_id)
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert journal.attempts(job_id)[0].cause == {
        "code": "lease_lost",
        "detail": "the service that ran it has ended; another one continues the job",
    }
    assert not left.exists()
    until(lambda: len(list((tmp_path / "owners").iterdir())) == 1)


def test_the_job_of_a_remote_service_is_taken_over_after_its_heartbeats_have_stopped(
    start: Start, journal: Journal, queue: JobQueue
) -> None:
    job_id = submit(journal, None, "quick")
    queue.claim("elsewhere")
    start(lease=LeaseTimes(allowed=600.0, expired=0.3))
    assert ended(journal, job_id).attempt == 2


def test_a_service_with_heartbeats_does_not_expire(journal: Journal, queue: JobQueue, tmp_path: Path) -> None:
    now, times = [0.0], LeaseTimes()
    submit(journal, None, "quick")
    queue.claim("elsewhere")
    ownership = Ownership(tmp_path / "owners", all_here=True)
    ours = Leases(queue, ownership, lambda _: None, times=times, clock=lambda: now[0])
    for _ in range(3):  # together longer than heartbeats are waited for
        queue.beat("elsewhere")
        assert ours.expired() == []
        now[0] += 0.9 * times.expired
        assert ours.expired() == []
    now[0] += 0.2 * times.expired
    assert ours.expired() == ["elsewhere"]
    ownership.close()


def test_attempts_end_before_others_may_take_their_jobs_over(
    start: Start, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """The trainer server ends the attempts of a service that hangs and cannot renew its lease."""
    runner = start(
        slots=1, lease=LeaseTimes(beat=600.0, allowed=1.0, expired=600.0)
    )  # claims a job, and then sends no heartbeat
    job_id = submit(journal, runner, "slow")
    pid = int(until(lambda: messages(journal, job_id))[0])
    until(lambda: not alive(pid))
    assert until(lambda: journal.attempts(job_id)[0].cause)["code"] == "lease_lost"
    assert runner.fenced
    assert "could not write its heartbeat" in caplog.text
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED


def test_an_attempt_whose_job_was_taken_over_is_killed(start: Start, journal: Journal, queue: JobQueue) -> None:
    runner = start(slots=1)
    job_id = submit(journal, runner, "slow")
    pid = int(until(lambda: messages(journal, job_id))[0])
    queue.release(runner.owner, {"code": "lease_lost", "detail": "taken"})
    queue.claim("other")
    until(lambda: not alive(pid))
    assert ended(journal, submit(journal, runner, "quick")).status is Status.SUCCEEDED
    assert journal.get(job_id).attempt == 2


@FORKED_OR_SPAWNED
def test_pause_saves_and_frees_the_slot_and_resume_continues(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(slots=1, forks=forks)
    job_id = submit(journal, runner, "ends_on_request")
    until(lambda: messages(journal, job_id))
    journal.pause(job_id)
    runner.wake()
    until(lambda: journal.get(job_id).status is Status.PAUSED)
    assert ended(journal, submit(journal, runner, "quick")).status is Status.SUCCEEDED
    journal.resume(job_id)
    runner.wake()
    assert ended(journal, job_id).result == {"resumed": True}
    assert [attempt.status for attempt in journal.attempts(job_id)] == ["paused", "succeeded"]


def test_stop_lets_attempts_save_their_state(start: Start, journal: Journal) -> None:
    runner = start()
    job_id = submit(journal, runner, "ends_on_request")
    until(lambda: messages(journal, job_id))
    runner.drain()
    waiting = submit(journal, runner, "quick")
    until(lambda: journal.get(job_id).status is Status.QUEUED)
    runner.stop()
    assert journal.get(waiting).attempt == 0
    attempt = journal.attempts(job_id)[0]
    assert attempt.cause is not None
    assert attempt.cause["code"] == "stopped"
    assert "saved" in attempt.cause["detail"]
    start()
    assert {ended(journal, each).status for each in (job_id, waiting)} == {Status.SUCCEEDED}


@FORKED_OR_SPAWNED
def test_an_attempt_above_its_memory_limit_is_killed_alone(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks, limits=AttemptLimits(memory_bytes=600 * 2**20))
    beside = submit(journal, runner, "ends_on_request")
    job = ended(journal, submit(journal, runner, "allocates_memory"))
    assert (job.status, job.attempt) == ("failed", 1)
    assert job.error is not None
    assert job.error["code"] == "out_of_memory"
    assert str(600 * 2**20) in job.error["detail"]
    assert journal.get(beside).status is Status.RUNNING


def test_an_attempt_above_its_time_limit_fails(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(limits=AttemptLimits(seconds=0.3)), "slow"))
    assert (job.status, job.attempt) == ("failed", 1)
    assert job.error == {"code": "time_limit", "detail": "the training ran for longer than the 0.3 s it may"}


def test_the_checkpoints_of_a_job_are_removed_when_it_has_ended(start: Start, journal: Journal, tmp_path: Path) -> None:
    job_id = submit(journal, start(), "saves_and_dies_once")
    assert ended(journal, job_id).result == {"found": ["there"]}
    until(lambda: not (tmp_path / "checkpoints" / job_id).exists())


def test_a_locked_journal_delays_messages_without_losing_them(start: Start, engine: Engine) -> None:
    runner = start()
    event.listen(engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout=10"))
    until(lambda: runner.ready)
    other = open_database(str(engine.url))
    client = Journal(other)  # with the default timeout, as the short one of the runner could fail the test's own reads
    jobs = [submit(client, None, do) for do in ("many", "fails", "dies", "quick")]
    until(lambda: client.get(jobs[0]).status is not Status.QUEUED)
    for _ in range(8):
        with other.connect().execution_options(write=True) as connection, connection.begin():
            time.sleep(0.1)
        time.sleep(0.02)
    many, fails, dies, quick = (ended(client, job_id) for job_id in jobs)
    assert [job.status for job in (many, fails, dies, quick)] == ["succeeded", "failed", "failed", "succeeded"]
    assert [job.attempt for job in (many, fails, dies, quick)][:2] == [1, 1]
    assert dies.attempt == 3
    assert client.metrics(many.id)["epoch"] == list(range(1, 301))
    assert client.metrics(fails.id)["epoch"] == [1, 2]
    other.dispose()
