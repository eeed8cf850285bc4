import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.jobs import runner as runner_module
from service.jobs.attempt import BETWEEN_REPORTS
from service.jobs.database import open_database
from service.jobs.errors import IllegalMove
from service.jobs.job import Job, Status
from service.jobs.journal import Journal
from service.jobs.ownership import Ownership
from service.jobs.runner import Runner
from service.jobs.trainers import Trainers

Start = Callable[..., Runner]
WAYS = pytest.mark.parametrize("forks", [pytest.param(True, id="forked"), pytest.param(False, id="spawned")])


@pytest.fixture
def start(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a runner; what it has opened must be closed again at the end, and its processes gone."""
    monkeypatch.setattr(runner_module, "TICK", 0.05)
    monkeypatch.setattr(runner_module, "BETWEEN_RESTARTS", 0.05)
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()  # noqa: PTH208 - names only
    pids: set[int] = set()
    with ExitStack() as cleanup:

        def start(*, entry: str = "tests.jobs.work:work", slots: int = 2, **more: Any) -> Runner:
            ownership = Ownership(tmp_path / "owners")
            runner = Runner(
                journal,
                ownership,
                entry=entry,
                preload=[],
                temporary=tmp_path / "tmp",
                slots=slots,
                surroundings={"told": "so"},
                **more,
            )
            runner.start()
            pids.add(runner.trainer_pid or 0)
            cleanup.callback(ownership.close)
            cleanup.callback(stop_once, runner)
            return runner

        yield start
    assert not [pid for pid in pids if alive(pid)]
    assert list((tmp_path / "tmp" / "attempts").glob("*")) == []
    if sys.platform == "linux":
        journal_files = {str(tmp_path / "journal.sqlite") + end for end in ("", "-wal", "-shm")}
        opened = {fd: target(fd) for fd in set(os.listdir("/proc/self/fd")) - before}  # noqa: PTH208 - names only
        assert not {fd: to for fd, to in opened.items() if to and to not in journal_files}


def stop_once(runner: Runner) -> None:
    if runner._thread.is_alive():
        runner.stop()


def target(descriptor: str) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - no path
    except OSError:
        return None


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(reached: Callable[[], Any], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return value


def submit(journal: Journal, runner: Runner | None, do: str, **more: Any) -> str:
    job, _ = journal.submit("line", {"do": do} | more, {})
    if runner is not None:
        runner.wake()
    return job.id


def ended(journal: Journal, job_id: str) -> Job:
    return until(lambda: job if (job := journal.get(job_id)).final else None)  # type: ignore[no-any-return]


def messages(journal: Journal, job_id: str) -> list[str]:
    return [event.data["text"] for event in journal.events(job_id) if event.type == "message"]


@WAYS
def test_an_attempt_runs_in_its_own_process_and_all_it_says_is_kept(
    start: Start, journal: Journal, forks: bool
) -> None:
    runner = start(forks=forks)
    job = ended(journal, submit(journal, runner, "quick"))
    assert job.status is Status.SUCCEEDED
    assert job.result is not None
    assert job.result["attempt"] == 1
    assert job.result["told"] == "so"
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
    assert len(reports) <= job.result["seconds"] / BETWEEN_REPORTS + 2  # the first and the last come at once


def test_a_failure_keeps_its_code_and_what_came_before(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(), "fails"))
    assert job.status is Status.FAILED
    assert job.error == {"code": "training_diverged", "detail": "the loss became NaN in epoch 2"}
    assert journal.metrics(job.id) == {"epoch": [1, 2], "train_loss": [1.0, None]}


def test_an_error_of_the_software_fails_the_job_at_once(
    start: Start, journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    job = ended(journal, submit(journal, start(), "raises"))
    assert (job.status, job.attempt) == ("failed", 1)
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert job.id not in job.error["detail"]
    assert "ValueError" in capfd.readouterr().err


@WAYS
@pytest.mark.parametrize(("do", "how"), [("dies", "signal 9"), ("exits", "exit status")])
def test_a_crash_is_tried_again_and_then_fails(start: Start, journal: Journal, do: str, how: str, forks: bool) -> None:
    job = ended(journal, submit(journal, start(forks=forks), do))
    assert (job.status, job.attempt) == ("failed", 3)
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert how in job.error["detail"]


def test_a_crash_that_does_not_come_again_is_got_over(start: Start, journal: Journal) -> None:
    job = ended(journal, submit(journal, start(), "dies_once"))
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert journal.metrics(job.id)["epoch"] == [1, 2, 3]


def test_what_work_prints_does_no_harm(start: Start, journal: Journal) -> None:
    assert ended(journal, submit(journal, start(), "prints")).result == {"printed": True}


@WAYS
def test_a_job_and_a_message_may_be_long(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    job = ended(journal, submit(journal, runner, "large", rows="x" * 5_000_000))
    assert job.result == {"length": 5_000_000}
    assert [len(message) for message in messages(journal, job.id)] == [5_000_000]


def test_no_more_attempts_run_at_a_time_than_there_are_slots(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    runner = start(slots=2)
    jobs = [submit(journal, runner, "silent", **{"while": str(flag)}) for _ in range(5)]
    until(lambda: len(journal.list_jobs(status=Status.RUNNING)[0]) == 2)
    assert len(journal.list_jobs(status=Status.QUEUED)[0]) == 3
    flag.unlink()
    assert {ended(journal, job).status for job in jobs} == {Status.SUCCEEDED}


@WAYS
def test_cancel_ends_a_running_job_at_once(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    job_id = submit(journal, runner, "slow")
    pid = int(until(lambda: messages(journal, job_id))[0])
    began = time.monotonic()
    journal.cancel(job_id)
    runner.wake()
    assert ended(journal, job_id).status is Status.CANCELLED
    assert time.monotonic() - began < 30  # some hundredths of a second; left alone it would go on for a minute
    assert not alive(pid)  # the trainer server has waited for it


@WAYS
def test_cancel_holds_while_the_attempt_is_only_just_starting(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(forks=forks)
    until(lambda: runner.ready)
    for _ in range(5):
        job_id = submit(journal, runner, "slow")
        until(lambda: journal.get(job_id).status is Status.RUNNING)  # noqa: B023 - used at once
        journal.cancel(job_id)
        runner.wake()
        assert ended(journal, job_id).status is Status.CANCELLED
    assert ended(journal, submit(journal, runner, "quick")).status is Status.SUCCEEDED  # every slot is free again


def test_cancel_through_another_process_is_seen(start: Start, journal: Journal, engine: Engine) -> None:
    job_id = submit(journal, start(), "slow")
    until(lambda: messages(journal, job_id))
    Journal(engine).cancel(job_id)  # no bell, no wake
    assert ended(journal, job_id).status is Status.CANCELLED


def test_a_job_that_publishes_is_not_cancelled_any_more(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    job_id = submit(journal, start(), "publishing", **{"while": str(flag)})
    until(lambda: messages(journal, job_id))
    with pytest.raises(IllegalMove):
        journal.cancel(job_id)
    flag.unlink()
    assert ended(journal, job_id).status is Status.SUCCEEDED


@WAYS
def test_a_killed_trainer_server_gives_its_jobs_to_the_next(start: Start, journal: Journal, forks: bool) -> None:
    runner = start(slots=2, forks=forks)
    flags = [submit(journal, runner, "slow") for _ in range(2)]
    pids = [int(until(lambda: messages(journal, job_id))[0]) for job_id in flags]  # noqa: B023 - used at once
    lost = runner.trainer_pid
    assert lost is not None
    os.kill(lost, 9)
    until(lambda: all(len(messages(journal, job_id)) == 2 for job_id in flags))
    assert runner.trainer_pid not in (lost, None)
    # Killed with their parent, and gone as soon as the system gets round to it.
    until(lambda: not any(map(alive, pids)))
    assert [journal.get(job_id).attempt for job_id in flags] == [2, 2]
    for job_id in flags:
        journal.cancel(job_id)
    runner.wake()
    assert {ended(journal, job_id).status for job_id in flags} == {Status.CANCELLED}


def test_a_job_handed_to_a_dying_trainer_server_is_not_blamed(start: Start, journal: Journal) -> None:
    runner = start(slots=1)
    for _ in range(6):  # more often than a job may crash
        until(lambda: runner.ready)
        pid = runner.trainer_pid
        assert pid is not None
        os.kill(pid, 9)
        job_id = submit(journal, runner, "quick")  # races with the news of its death
        assert ended(journal, job_id).status is Status.SUCCEEDED


def test_a_trainer_server_that_cannot_load_is_tried_more_and_more_seldom(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Trainers, "ready", property(lambda _: False, lambda *_: None), raising=False)
    with caplog.at_level(logging.ERROR, "service.jobs.runner"):
        runner = start(entry="tests.jobs.work:no_such_function")
        job_id = submit(journal, runner, "quick")
        until(lambda: len(caplog.records) >= 3)
    assert journal.get(job_id).status is Status.QUEUED
    waits = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert waits[:3] == [2 * 0.05, 4 * 0.05, 8 * 0.05]


def test_stop_puts_the_jobs_back_and_the_next_runner_ends_them(start: Start, journal: Journal, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    runner = start()
    slow = submit(journal, runner, "slow")
    silent = submit(journal, runner, "silent", **{"while": str(flag)})
    waiting = submit(journal, runner, "silent", **{"while": str(flag)})  # not over before the stop, should it begin
    pid = int(until(lambda: messages(journal, slow))[0])
    until(lambda: journal.get(silent).status is Status.RUNNING)
    journal.cancel(slow)
    runner.stop()
    until(lambda: not alive(pid))  # killed, and gone as soon as the system has got round to it
    assert [journal.get(job_id).status for job_id in (slow, silent, waiting)] == ["cancelled", "queued", "queued"]
    flag.unlink()
    start()
    assert [ended(journal, job_id).status for job_id in (silent, waiting)] == ["succeeded", "succeeded"]


def test_stop_while_the_trainer_server_still_loads(start: Start, journal: Journal) -> None:
    runner = start(entry="tests.jobs.never_loaded:work")
    job_id = submit(journal, runner, "quick")
    runner.stop()
    runner.wake()  # a request that comes late does no harm
    assert journal.get(job_id).status is Status.QUEUED


def test_two_services_share_the_work_and_never_do_it_twice(start: Start, journal: Journal) -> None:
    runners = [start(slots=1), start(slots=1)]
    jobs = [submit(journal, None, "quick") for _ in range(20)]
    for runner in runners:
        runner.wake()
    done = [ended(journal, job_id) for job_id in jobs]
    assert {(job.status, job.attempt) for job in done} == {(Status.SUCCEEDED, 1)}


def test_the_job_of_a_dead_service_is_taken_over(start: Start, journal: Journal, tmp_path: Path) -> None:
    job_id = submit(journal, None, "quick")
    claimed = journal.claim("0123456789abcdef")
    assert claimed is not None
    left = tmp_path / "tmp" / "attempts" / f"{job_id}-1"
    left.mkdir(parents=True)
    start()
    job = ended(journal, job_id)
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert not left.exists()


def test_what_dead_services_have_left_is_swept_at_the_start(start: Start, journal: Journal, tmp_path: Path) -> None:
    for name in ("nobody-1", f"{submit(journal, None, 'quick')}-7"):
        (tmp_path / "tmp" / "attempts" / name).mkdir(parents=True)
    start()
    assert not (tmp_path / "tmp" / "attempts" / "nobody-1").exists()


def test_a_locked_journal_delays_and_loses_nothing(start: Start, engine: Engine) -> None:
    runner = start()
    event.listen(engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout=10"))
    until(lambda: runner.ready)
    other = open_database(str(engine.url))
    client = Journal(other)  # waits as long as usual, so that the runner's haste does not fail what the test asks
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


def test_a_descriptor_shortage_costs_no_job(start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_claim_without_a_beginning_is_given_back(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = start()
    begin, failures = runner._begin, [1]

    def broken(job: Job) -> None:
        if failures.pop() if failures else False:
            raise RuntimeError("lightning strikes between the claim and the beginning")
        begin(job)

    monkeypatch.setattr(runner, "_begin", broken)
    job = ended(journal, submit(journal, runner, "quick"))
    assert (job.status, job.attempt) == ("succeeded", 2)


@pytest.mark.parametrize("quick", [True, False])
def test_a_message_that_nobody_can_write_down_ends_the_attempt(
    start: Start, journal: Journal, monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("epoch")

    monkeypatch.setattr(journal, "record", broken)
    if not quick:  # as when the kill comes late, for its process was not known yet: it may not publish meanwhile
        monkeypatch.setattr(Trainers, "kill", lambda *_: None)
    job = ended(journal, submit(journal, start(), "quick"))
    assert (job.status, job.attempt) == ("failed", 3)
