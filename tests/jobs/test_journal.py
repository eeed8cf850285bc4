from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from service.jobs.database import open_database
from service.jobs.errors import (
    IdempotencyMismatch,
    IllegalMove,
    JobNotFound,
    JournalFull,
    JournalUnavailable,
)
from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from tests.jobs.steps import SPEC, claimed, submit

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_a_submitted_job_is_read_back_unchanged(journal: Journal) -> None:
    job, new = journal.submit("line", SPEC, {"since": 3}, priority=2)
    assert new
    assert journal.get(job.id) == job
    assert (job.status, job.spec, job.context, job.priority, job.attempt) == ("queued", SPEC, {"since": 3}, 2, 0)
    with pytest.raises(JobNotFound):
        journal.get("nope")


def test_acknowledged_jobs_survive_a_restart(journal: Journal, engine: Engine) -> None:
    job = submit(journal)
    again = open_database(engine.url.render_as_string(hide_password=False))
    assert Journal(again).get(job.id) == job
    again.dispose()


def test_a_hundred_parallel_submits_with_one_key_create_one_job(journal: Journal) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: journal.submit("line", SPEC, {}, idempotency=("key", "d")), range(100)))
    assert len({job.id for job, _ in made}) == 1
    assert sum(new for _, new in made) == 1
    assert len(journal.list_jobs()[0]) == 1


def test_an_idempotency_key_is_bound_to_its_request_for_a_day(engine: Engine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    journal = Journal(engine, clock=lambda: now)
    job = submit(journal, idempotency=("key", "one"))
    assert journal.recall("key", "one") == job
    for call in (journal.recall, lambda *pair: submit(journal, idempotency=pair)):
        with pytest.raises(IdempotencyMismatch):
            call("key", "two")
    now += timedelta(hours=23, minutes=59)
    assert submit(journal, idempotency=("key", "one")) == job
    now += timedelta(minutes=2)
    assert journal.recall("key", "one") is None
    other = submit(journal, idempotency=("key", "two"))
    assert other.id != job.id
    assert journal.recall("key", "two") == other


def test_pages_are_newest_first_and_complete(journal: Journal) -> None:
    made = [submit(journal, name=f"m{i % 2}").id for i in range(7)]
    seen: list[str] = []
    more, after = True, None
    while more:
        page, more = journal.list_jobs(after=after, limit=3)
        assert len(page) <= 3
        seen += [job.id for job in page]
        after = seen[-1]
    assert seen == made[::-1]
    assert [job.id for job in journal.list_jobs(model_name="m1")[0]] == made[1::2][::-1]
    journal.cancel(made[2])
    assert [job.id for job in journal.list_jobs(status=Status.CANCELLED)[0]] == [made[2]]
    assert journal.list_jobs(after=made[0]) == ([], False)
    assert journal.list_jobs(model_name="m1\0") == ([], False)
    assert journal.events(made[0], after=10**18) == []
    with pytest.raises(JobNotFound):
        journal.list_jobs(after="nope")


def test_a_queued_job_is_cancelled_at_once(journal: Journal, queue: JobQueue) -> None:
    job = submit(journal)
    assert journal.cancel(job.id).status is Status.CANCELLED
    assert journal.cancel(job.id).status is Status.CANCELLED
    assert queue.claim("me") is None


def test_cancelling_a_running_job_requests_its_end(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    cancelled = journal.cancel(job.id)
    assert (cancelled.status, cancelled.requested) == ("running", "cancel")
    assert journal.cancel(job.id) == cancelled
    assert not queue.may_publish(job)


def test_a_publishing_or_ended_job_cannot_be_cancelled(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    assert queue.may_publish(job)
    with pytest.raises(IllegalMove, match="publishing"):
        journal.cancel(job.id)
    queue.finish(job, Status.SUCCEEDED, result={"version": 1})
    with pytest.raises(IllegalMove, match="has succeeded"):
        journal.cancel(job.id)


def test_a_queued_job_is_paused_and_resumed_at_once(journal: Journal, queue: JobQueue) -> None:
    job = submit(journal)
    assert journal.pause(job.id).status is Status.PAUSED
    assert journal.pause(job.id).status is Status.PAUSED
    assert queue.claim("me") is None
    assert journal.resume(job.id).status is Status.QUEUED
    assert journal.resume(job.id).status is Status.QUEUED
    again = queue.claim("me")
    assert again is not None
    assert journal.resume(job.id) == again


def test_the_last_request_wins(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    journal.pause(job.id)
    assert journal.resume(job.id).requested is None
    journal.pause(job.id)
    assert journal.cancel(job.id).requested == "cancel"
    for call in (journal.pause, journal.resume):
        with pytest.raises(IllegalMove, match="being cancelled"):
            call(job.id)
    assert queue.finish(job, Status.QUEUED).status is Status.CANCELLED
    for call in (journal.pause, journal.resume):
        with pytest.raises(IllegalMove, match="has cancelled"):
            call(job.id)


def test_a_late_pause_does_not_prevent_publishing(journal: Journal, queue: JobQueue) -> None:
    job = claimed(journal, queue)
    journal.pause(job.id)
    assert queue.may_publish(job)
    assert queue.finish(job, Status.SUCCEEDED, result={"version": 1}).requested is None


def test_fail_waiting_affects_waiting_jobs_only(journal: Journal, queue: JobQueue) -> None:
    running, waiting = claimed(journal, queue), submit(journal)
    assert [job.id for job in journal.waiting()] == [waiting.id]
    error = {"code": "dataset_deleted", "detail": "gone"}
    assert journal.fail_waiting(waiting.id, error).error == error
    for job in (running, waiting):
        before = journal.get(job.id)
        with pytest.raises(IllegalMove):
            journal.fail_waiting(job.id, {})
        assert journal.get(job.id) == before


@ON_SQLITE
def test_writes_fail_on_a_full_disk_and_succeed_again_afterwards(
    journal: Journal, queue: JobQueue, engine: Engine
) -> None:
    job = claimed(journal, queue)
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
    limit_pages(engine, pages or 0)
    with pytest.raises(JournalFull):
        for _ in range(1000):
            queue.message(job, "x" * 2000)
    with pytest.raises(JournalFull):
        journal.submit("line", {"rows": "x" * 10**6}, {})
    before = len(journal.events(job.id))
    limit_pages(engine, 10**6)
    queue.message(job, "again")
    events = journal.events(job.id)
    assert [event.id for event in events] == list(range(1, before + 2))
    assert journal.list_jobs() == ([job], False)


@ON_SQLITE
def test_a_locked_journal_is_an_error_of_its_own(journal: Journal, engine: Engine, tmp_path: Path) -> None:
    job = submit(journal)
    other = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with other.connect().execution_options(write=True) as connection, connection.begin():
        assert journal.get(job.id) == job  # reads need not wait
        with pytest.raises(JournalUnavailable):
            journal.cancel(job.id)
    other.dispose()
    assert journal.cancel(job.id).status is Status.CANCELLED


def limit_pages(engine: Engine, pages: int) -> None:
    """Set the limit on the connection that the pool returns each time in a single thread."""
    with engine.connect() as connection:
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
