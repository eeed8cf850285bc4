"""A job with a temporary failure is postponed and retried, and can be resumed when the retries have ended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.jobs.errors import IllegalMove
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job, Status
from service.jobs.job_queue import LONGEST_BACK_OFF, JobQueue
from service.jobs.journal import RESUMABLE_FOR, Journal
from service.jobs.outbox import Outbox
from tests.harness.until import until
from tests.jobs.runners import Start, ended, submit
from tests.jobs.steps import claimed

ERROR = {"code": "no_space", "detail": "no space is left"}
ONCE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def put_off_until_it_fails(queue: JobQueue, clock: Clock, job: Job) -> list[float]:
    """Postpone the job until it fails, and return the delays in seconds."""
    waits: list[float] = []
    while True:
        after = queue.put_off(job, ERROR, unpublished=True)
        if after.final:
            return waits
        assert after.status is Status.QUEUED
        began = clock.now
        while (again := queue.claim("me")) is None:
            clock.now += timedelta(seconds=1)
        waits.append((clock.now - began).total_seconds())
        job = again


def test_delays_grow_until_the_job_fails(engine: Engine) -> None:
    clock = Clock()
    journal, queue = Journal(engine, clock=clock), JobQueue(engine, clock=clock, patience=300)
    job = claimed(journal, queue)
    waits = put_off_until_it_fails(queue, clock, job)
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert max(waits) == LONGEST_BACK_OFF
    assert 300 - LONGEST_BACK_OFF < sum(waits) <= 300
    failed = journal.get(job.id)
    assert (failed.status, failed.error, failed.resumable) == ("failed", ERROR, True)
    assert {attempt.status for attempt in journal.attempts(job.id)} == {"queued", "failed"}


def test_progress_resets_the_delays(engine: Engine) -> None:
    clock = Clock()
    journal, queue = Journal(engine, clock=clock), JobQueue(engine, clock=clock, patience=2)
    job = claimed(journal, queue)
    for epoch in range(1, 6):
        queue.saved(job, epoch)
        job = queue.put_off(job, ERROR)
        assert job.status is Status.QUEUED
        clock.now += timedelta(seconds=2)
        job = queue.claim("me") or job
    assert job.attempt == 6


@pytest.mark.parametrize("unpublished", [True, False])
def test_a_postponed_job_can_be_cancelled_if_nothing_can_have_been_published(engine: Engine, unpublished: bool) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    job = claimed(journal, queue)
    queue.may_publish(job)
    queue.put_off(job, ERROR, unpublished=unpublished)
    if unpublished:
        assert journal.cancel(job.id).status is Status.CANCELLED
    else:
        with pytest.raises(IllegalMove, match="publishing"):
            journal.cancel(job.id)


def test_a_failed_job_and_its_checkpoint_can_be_resumed_for_a_week(engine: Engine, tmp_path: Path) -> None:
    clock = Clock()
    journal, queue = Journal(engine, clock=clock), JobQueue(engine, clock=clock, patience=0)
    checkpoints = tmp_path / "checkpoints"
    jobs = []
    for _ in range(2):
        jobs.append(queue.put_off(claimed(journal, queue), ERROR))
        (checkpoints / jobs[-1].id).mkdir(parents=True)
    clock.now += RESUMABLE_FOR - timedelta(seconds=1)
    Housekeeping(engine, clock=clock).sweep(tmp_path / "attempts", checkpoints)
    assert len(list(checkpoints.iterdir())) == 2
    resumed = journal.resume(jobs[0].id)
    assert (resumed.status, resumed.error, resumed.finished_at) == ("queued", None, None)
    assert not resumed.damaged
    assert journal.events(resumed.id)[-1].data == {"status": "queued"}
    clock.now += timedelta(seconds=2)
    with pytest.raises(IllegalMove, match="7 days"):
        journal.resume(jobs[1].id)
    Housekeeping(engine, clock=clock).sweep(tmp_path / "attempts", checkpoints)
    assert [path.name for path in checkpoints.iterdir()] == [resumed.id]
    again = queue.claim("me")
    assert again is not None
    assert queue.finish(again, Status.SUCCEEDED, result={}).final


def test_other_failures_cannot_be_resumed(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    queue.finish(job, Status.FAILED, error={"code": "training_diverged", "detail": "NaN"})
    with pytest.raises(IllegalMove):
        journal.resume(job.id)


def test_each_end_of_a_resumed_job_sends_a_webhook(engine: Engine) -> None:
    journal, queue = Journal(engine), JobQueue(engine, patience=0)
    job, deliveries = journal.submit("line", {"webhook": {"url": "http://localhost/"}}, {})[0], []
    for _ in range(2):
        claim = queue.claim("me")
        assert claim is not None
        queue.put_off(claim, ERROR)
        delivery = Outbox(engine).claim(lease=30, schedule=())
        assert delivery is not None
        deliveries.append((delivery.job.status, delivery.message_id))
        journal.resume(job.id)
        assert Outbox(engine).claim(lease=30, schedule=()) is None  # an end that no longer holds
    assert deliveries == [("failed", job.id), ("failed", f"{job.id}-2")]  # different ids for a receiver


@ONCE
def test_a_postponed_attempt_continues_from_its_checkpoint(start: Start, journal: Journal, tmp_path: Path) -> None:
    job = ended(journal, submit(journal, start(), "saves_and_is_put_off_once"))
    assert job.result == {"found": ["there"]}
    first = journal.attempts(job.id)[0]
    assert (first.status, first.cause) == ("queued", {"code": "unavailable", "detail": "not now"})


@ONCE
def test_a_resumed_job_finds_its_checkpoint(start: Start, journal: Journal) -> None:
    runner = start(patience=0)
    failed = ended(journal, submit(journal, runner, "saves_and_is_put_off_once"))
    assert failed.resumable
    journal.resume(failed.id)
    runner.wake()
    until(lambda: journal.get(failed.id).status is Status.SUCCEEDED)
    assert journal.get(failed.id).result == {"found": ["there"]}
