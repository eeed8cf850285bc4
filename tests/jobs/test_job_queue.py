from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.jobs.database import open_database
from service.jobs.errors import (
    AttemptSuperseded,
    IllegalMove,
)
from service.jobs.job import FINAL, MOVES, Status
from service.jobs.job_queue import MOST_CRASHES, JobQueue
from service.jobs.journal import Journal
from tests.examples import examples
from tests.jobs.steps import DEAD, claimed, record, submit


def test_jobs_are_claimed_by_priority_and_then_by_age(journal: Journal, queue: JobQueue) -> None:
    ids = [submit(journal, priority=priority).id for priority in (0, 5, 0, 5, -1)]
    order = []
    while job := queue.claim("me"):
        assert (job.status, job.attempt) == ("running", 1)
        order.append(ids.index(job.id))
    assert order == [1, 3, 0, 2, 4]


def test_concurrent_claims_never_return_the_same_job(journal: Journal, queue: JobQueue) -> None:
    for _ in range(30):
        submit(journal)
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda i: queue.claim(f"owner{i}"), range(40)))
    got = [job.id for job in jobs if job is not None]
    assert len(got) == len(set(got)) == 30


def test_events_are_numbered_from_one_for_each_job(journal: Journal, queue: JobQueue) -> None:
    other, job = submit(journal), submit(journal, priority=1)
    job = queue.claim("me") or job
    queue.message(job, "hello")
    record(queue, job, [1], [0.5])
    submit(journal)
    queue.finish(job, Status.SUCCEEDED, result={"version": 1})
    events = journal.events(job.id)
    assert [event.id for event in events] == [1, 2, 3, 4, 5]
    assert [event.type for event in events] == ["status", "status", "message", "metrics", "status"]
    assert events[-1].data == {"status": "succeeded", "result": {"version": 1}}
    assert journal.events(job.id, after=3) == events[3:]
    assert journal.events(job.id, after=1, limit=2) == events[1:3]
    assert [event.id for event in journal.events(other.id)] == [1]


def test_reports_are_joined_into_one_series_of_metrics(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    assert journal.metrics(job.id) == {"epoch": [], "train_loss": []}
    record(queue, job, [1, 2], [0.5, 0.4])
    record(queue, job, [3], [None])
    record(queue, job, [3], [None])  # repeated, as after a lost answer
    assert journal.metrics(job.id) == {"epoch": [1, 2, 3], "train_loss": [0.5, 0.4, None]}


def test_an_attempt_overwrites_the_metrics_of_the_previous_one(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    record(queue, job, [1, 2], [0.5, 0.4])
    record(queue, job, [3], [0.3])
    queue.release("me", DEAD)
    again = queue.claim("me")
    assert again is not None
    assert journal.metrics(job.id)["epoch"] == [1, 2, 3]  # kept, in case its version is already published
    record(queue, again, [1], [0.7])
    assert journal.metrics(job.id) == {"epoch": [1], "train_loss": [0.7]}


@pytest.mark.parametrize("status", Status)
def test_only_legal_transitions_are_made(journal: Journal, queue: JobQueue, status: Status) -> None:
    job = claimed(journal, queue)
    if status in MOVES[Status.RUNNING]:
        moved = queue.finish(job, status)
        assert moved.status is status
        assert moved.final is (status in FINAL)
        assert (moved.finished_at is not None) is moved.final
    else:
        with pytest.raises(IllegalMove):
            queue.finish(job, status)
        assert journal.get(job.id) == job


def test_an_attempt_that_lost_its_job_is_fenced(journal: Journal, queue: JobQueue) -> None:
    old = claimed(journal, queue)
    queue.release("me", DEAD)
    new = queue.claim("other")
    assert new is not None
    assert (new.id, new.attempt) == (old.id, 2)
    for call in (
        lambda: queue.message(old, "boo"),
        lambda: record(queue, old, [1], [1.0]),
        lambda: queue.finish(old, Status.SUCCEEDED, result={}),
        lambda: queue.crash(old, "boo"),
    ):
        with pytest.raises(AttemptSuperseded):
            call()
    assert not queue.may_publish(old)
    assert journal.get(old.id) == new
    assert queue.may_publish(new)


@pytest.mark.parametrize("how", ["crash", "release", "failed", "queued"])
def test_a_cancellation_holds_for_every_end_of_the_attempt(journal: Journal, queue: JobQueue, how: str) -> None:
    job = claimed(journal, queue)
    journal.cancel(job.id)  # after the runner has read the job, and before it ends the attempt
    if how == "crash":
        queue.crash(job, "gone")
    elif how == "release":
        queue.release("me", DEAD)
    else:
        queue.finish(job, Status(how), error={"code": "crashed", "detail": "gone"})
    ended = journal.get(job.id)
    assert (ended.status, ended.requested, ended.error) == ("cancelled", None, None)


def test_a_job_that_keeps_crashing_waits_longer_each_time_and_fails(journal: Journal, engine: Engine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    queue = JobQueue(engine, clock=lambda: now)
    job = claimed(journal, queue)
    for crash in range(1, MOST_CRASHES + 1):
        ended = queue.crash(job, f"crash {crash}")
        assert queue.claim("me") is None
        now += timedelta(seconds=2 ** (crash - 1))
        job = queue.claim("me") or ended
    assert (job.status, job.error) == ("failed", {"code": "crashed", "detail": f"crash {MOST_CRASHES}"})
    causes = [attempt.cause and attempt.cause["detail"] for attempt in journal.attempts(job.id)]
    assert causes == ["crash 1", "crash 2", "crash 3"]  # each cause is kept
    assert [attempt.status for attempt in journal.attempts(job.id)] == ["queued", "queued", "failed"]


def test_the_delay_after_a_crash_tolerates_clock_changes(journal: Journal, engine: Engine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    queue = JobQueue(engine, clock=lambda: now)
    queue.crash(claimed(journal, queue), "gone")
    now -= timedelta(days=400)
    assert queue.claim("me") is not None


def test_end_times_are_not_before_start_times_when_the_clock_is_set_back(engine: Engine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    journal, queue = Journal(engine, clock=lambda: now), JobQueue(engine, clock=lambda: now)
    job = claimed(journal, queue)
    now -= timedelta(hours=1)
    ended = queue.finish(job, Status.SUCCEEDED, result={})
    (attempt,) = journal.attempts(job.id)
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert attempt.ended_at is not None
    assert ended.started_at <= ended.finished_at
    assert attempt.started_at <= attempt.ended_at


def test_progress_resets_the_crash_count(journal: Journal, engine: Engine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    queue = JobQueue(engine, clock=lambda: now)
    job = claimed(journal, queue)
    for epoch in range(1, 10):
        queue.saved(job, epoch)
        queue.crash(job, "gone")
        now += timedelta(minutes=1)
        job = queue.claim("me") or job
        assert job.attempt == epoch + 1
    for _ in range(MOST_CRASHES - 1):
        queue.saved(job, 9)  # no progress
        job = queue.crash(job, "gone")
        now += timedelta(minutes=1)
        job = queue.claim("me") or job
    assert job.status is Status.FAILED


@pytest.mark.parametrize("how", ["left", "crash", "release"])
def test_a_running_job_is_paused_when_its_attempt_has_ended(journal: Journal, queue: JobQueue, how: str) -> None:
    job = claimed(journal, queue)
    assert journal.pause(job.id).requested == "pause"
    if how == "left":
        queue.finish(job, Status.QUEUED)
    elif how == "crash":
        queue.crash(job, "gone")
    else:
        queue.release("me", DEAD)
    paused = journal.get(job.id)
    assert (paused.status, paused.requested) == ("paused", None)
    assert journal.cancel(job.id).status is Status.CANCELLED


def test_a_job_that_may_have_published_cannot_be_cancelled_between_attempts(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    assert queue.may_publish(job)
    queue.release("me", DEAD)
    with pytest.raises(IllegalMove, match="publishing"):
        journal.cancel(job.id)
    again = queue.claim("me")
    assert again is not None
    record(queue, again, [1], [0.5])  # it trains again: nothing was published
    assert journal.cancel(job.id).requested == "cancel"


def test_a_resumed_attempt_overwrites_the_later_epochs(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    record(queue, job, [1, 2, 3, 4], [0.5, 0.4, 0.3, 0.2])
    record(queue, job, [5], [0.1])
    queue.release("me", DEAD)
    again = queue.claim("me")
    assert again is not None
    record(queue, again, [3, 4], [0.3, 0.2])
    assert journal.metrics(job.id) == {"epoch": [1, 2, 3, 4], "train_loss": [0.5, 0.4, 0.3, 0.2]}


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40), most=st.integers(4, 40), back=st.integers(1, 10**4))
@settings(max_examples=examples(50), deadline=None)
def test_a_long_history_is_thinned_evenly_and_keeps_both_ends(sizes: list[int], most: int, back: int) -> None:
    engine = open_database("sqlite://")
    journal, queue = Journal(engine), JobQueue(engine, most_points=most)
    job, done, furthest = claimed(journal, queue), 0, 0
    for place, size in enumerate(sizes):
        if place == len(sizes) // 2:
            done = min(done, back)  # an attempt that resumes at an earlier epoch
        epochs = list(range(done + 1, done + size + 1))
        record(queue, job, epochs, [1 / epoch for epoch in epochs])
        done = epochs[-1]
        metrics = journal.metrics(job.id)
        assert len(metrics["epoch"]) <= most + 1
        assert (metrics["epoch"][0], metrics["epoch"][-1]) == (1, done)
        assert metrics["train_loss"] == [1 / epoch for epoch in metrics["epoch"] if epoch]
        gaps = {b - a for a, b in pairwise(each or 0 for each in metrics["epoch"][:-1])}
        assert len(gaps) <= 1
        furthest = max(furthest, done)
        assert done < furthest or done <= most or len(metrics["epoch"]) >= most // 4
    engine.dispose()


def test_the_jobs_of_a_dead_owner_are_queued_again(journal: Journal, queue: JobQueue) -> None:
    for _ in range(3):
        submit(journal)
    mine, theirs = queue.claim("me"), queue.claim("dead")
    assert mine is not None
    assert theirs is not None
    assert set(queue.beats()) == {"me", "dead"}
    assert [job.id for job in queue.release("dead", DEAD)] == [theirs.id]
    assert set(queue.beats()) == {"me"}
    assert [job.id for job in queue.running("me")] == [mine.id]
    again = queue.claim("me")
    assert again is not None
    assert (again.id, again.started_at) == (theirs.id, theirs.started_at)


def test_listeners_are_notified_after_the_commit(engine: Engine) -> None:
    seen: list[tuple[str, Status]] = []

    def changed(job_id: str) -> None:
        seen.append((job_id, Journal(engine).get(job_id).status))

    queue = JobQueue(engine, changed=changed)
    job = submit(Journal(engine, changed=changed))
    claim = queue.claim("me")
    assert claim is not None
    queue.finish(claim, Status.SUCCEEDED, result={})
    assert seen == [(job.id, "queued"), (job.id, "running"), (job.id, "succeeded")]
