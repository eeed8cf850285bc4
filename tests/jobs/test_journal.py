from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.jobs.database import open_database
from service.jobs.errors import (
    AttemptSuperseded,
    IdempotencyMismatch,
    IllegalMove,
    JobNotFound,
    JournalFull,
    JournalUnavailable,
)
from service.jobs.job import FINAL, MOVES, Job, Status
from service.jobs.journal import MOST_CRASHES, Journal

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
SPEC: dict[str, Any] = {"data": {"kind": "line"}}


def submit(journal: Journal, name: str = "line", **more: Any) -> Job:
    return journal.submit(name, SPEC, {}, **more)[0]


def claimed(journal: Journal) -> Job:
    submit(journal)
    job = journal.claim("me")
    assert job is not None
    return job


def record(journal: Journal, job: Job, epochs: list[int], losses: list[float | None]) -> None:
    latest = {"train_loss": losses[-1]}
    journal.record(
        job, progress={"epoch": epochs[-1]}, latest=latest, series={"epoch": epochs, "train_loss": list(losses)}
    )


def test_a_job_comes_back_as_it_was_submitted(journal: Journal) -> None:
    job, new = journal.submit("line", SPEC, {"since": 3}, priority=2)
    assert new
    assert journal.get(job.id) == job
    assert (job.status, job.spec, job.context, job.priority, job.attempt) == ("queued", SPEC, {"since": 3}, 2, 0)
    with pytest.raises(JobNotFound):
        journal.get("nope")


def test_what_was_acknowledged_is_there_after_a_restart(journal: Journal, engine: Engine) -> None:
    job = submit(journal)
    again = open_database(engine.url.render_as_string(hide_password=False))
    assert Journal(again).get(job.id) == job
    again.dispose()


def test_a_hundred_parallel_submits_of_one_key_make_one_job(journal: Journal) -> None:
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
    for ask in (journal.recall, lambda *pair: submit(journal, idempotency=pair)):
        with pytest.raises(IdempotencyMismatch):
            ask("key", "two")
    now += timedelta(hours=23, minutes=59)
    assert submit(journal, idempotency=("key", "one")) == job
    now += timedelta(minutes=2)
    assert journal.recall("key", "one") is None
    other = submit(journal, idempotency=("key", "two"))
    assert other.id != job.id
    assert journal.recall("key", "two") == other


def test_pages_are_newest_first_and_whole(journal: Journal) -> None:
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
    with pytest.raises(JobNotFound):
        journal.list_jobs(after="nope")


def test_claims_go_by_priority_and_then_by_age(journal: Journal) -> None:
    ids = [submit(journal, priority=priority).id for priority in (0, 5, 0, 5, -1)]
    order = []
    while job := journal.claim("me"):
        assert (job.status, job.attempt) == ("running", 1)
        order.append(ids.index(job.id))
    assert order == [1, 3, 0, 2, 4]


def test_two_who_claim_at_once_never_get_the_same_job(journal: Journal) -> None:
    for _ in range(30):
        submit(journal)
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda i: journal.claim(f"owner{i}"), range(40)))
    got = [job.id for job in jobs if job is not None]
    assert len(got) == len(set(got)) == 30


def test_events_are_numbered_from_one_for_each_job(journal: Journal) -> None:
    other, job = submit(journal), submit(journal, priority=1)
    job = journal.claim("me") or job
    journal.message(job, "hello")
    record(journal, job, [1], [0.5])
    submit(journal)
    journal.finish(job, Status.SUCCEEDED, result={"version": 1})
    events = journal.events(job.id)
    assert [event.id for event in events] == [1, 2, 3, 4, 5]
    assert [event.type for event in events] == ["status", "status", "message", "metrics", "status"]
    assert events[-1].data == {"status": "succeeded", "result": {"version": 1}}
    assert journal.events(job.id, after=3) == events[3:]
    assert journal.events(job.id, after=1, limit=2) == events[1:3]
    assert [event.id for event in journal.events(other.id)] == [1]


def test_metrics_are_one_series_over_all_reports(journal: Journal) -> None:
    job = claimed(journal)
    assert journal.metrics(job.id) == {"epoch": [], "train_loss": []}
    record(journal, job, [1, 2], [0.5, 0.4])
    record(journal, job, [3], [None])
    record(journal, job, [3], [None])  # said again after an answer that did not arrive
    assert journal.metrics(job.id) == {"epoch": [1, 2, 3], "train_loss": [0.5, 0.4, None]}


def test_the_next_attempt_writes_over_the_metrics_of_the_one_before(journal: Journal) -> None:
    job = claimed(journal)
    record(journal, job, [1, 2], [0.5, 0.4])
    record(journal, job, [3], [0.3])
    journal.crash(job, "gone")
    again = journal.claim("me")
    assert again is not None
    assert journal.metrics(job.id)["epoch"] == [1, 2, 3]  # kept, should it find its version published already
    record(journal, again, [1], [0.7])
    assert journal.metrics(job.id) == {"epoch": [1], "train_loss": [0.7]}


@pytest.mark.parametrize("status", Status)
def test_only_legal_moves_are_made(journal: Journal, status: Status) -> None:
    job = claimed(journal)
    if status in MOVES[Status.RUNNING]:
        moved = journal.finish(job, status)
        assert moved.status is status
        assert moved.final is (status in FINAL)
        assert (moved.finished_at is not None) is moved.final
    else:
        with pytest.raises(IllegalMove):
            journal.finish(job, status)
        assert journal.get(job.id) == job


def test_an_attempt_that_lost_its_job_can_do_nothing(journal: Journal) -> None:
    old = claimed(journal)
    journal.release("me", "dead")
    new = journal.claim("other")
    assert new is not None
    assert (new.id, new.attempt) == (old.id, 2)
    for call in (
        lambda: journal.message(old, "boo"),
        lambda: record(journal, old, [1], [1.0]),
        lambda: journal.finish(old, Status.SUCCEEDED, result={}),
        lambda: journal.crash(old, "boo"),
    ):
        with pytest.raises(AttemptSuperseded):
            call()
    assert not journal.may_publish(old)
    assert journal.get(old.id) == new
    assert journal.may_publish(new)


def test_a_waiting_job_is_cancelled_at_once(journal: Journal) -> None:
    job = submit(journal)
    assert journal.cancel(job.id).status is Status.CANCELLED
    assert journal.cancel(job.id).status is Status.CANCELLED
    assert journal.claim("me") is None


def test_a_running_job_is_asked_to_end(journal: Journal) -> None:
    job = claimed(journal)
    asked = journal.cancel(job.id)
    assert (asked.status, asked.requested) == ("running", "cancel")
    assert journal.cancel(job.id) == asked
    assert not journal.may_publish(job)


@pytest.mark.parametrize("how", ["crash", "release", "failed", "queued"])
def test_a_cancel_holds_however_the_attempt_ends(journal: Journal, how: str) -> None:
    job = claimed(journal)
    journal.cancel(job.id)  # between the runner's look at the job and its word that the attempt is over
    if how == "crash":
        journal.crash(job, "gone")
    elif how == "release":
        journal.release("me", "dead")
    else:
        journal.finish(job, Status(how), error={"code": "crashed", "detail": "gone"})
    ended = journal.get(job.id)
    assert (ended.status, ended.requested, ended.error) == ("cancelled", None, None)


def test_a_job_that_publishes_or_has_ended_cannot_be_cancelled(journal: Journal) -> None:
    job = claimed(journal)
    assert journal.may_publish(job)
    with pytest.raises(IllegalMove, match="publishing"):
        journal.cancel(job.id)
    journal.finish(job, Status.SUCCEEDED, result={"version": 1})
    with pytest.raises(IllegalMove, match="ended"):
        journal.cancel(job.id)


def test_a_job_that_crashes_again_and_again_fails(journal: Journal) -> None:
    job = claimed(journal)
    for crash in range(1, MOST_CRASHES + 1):
        ended = journal.crash(job, f"crash {crash}")
        job = journal.claim("me") or ended
    assert (job.status, job.error) == ("failed", {"code": "crashed", "detail": f"crash {MOST_CRASHES}"})
    said = [event.data.get("error", {}).get("detail") for event in journal.events(job.id) if event.type == "status"]
    assert [each for each in said if each] == ["crash 1", "crash 2", "crash 3"]  # the cause of each is kept


def test_the_jobs_of_a_dead_owner_wait_again(journal: Journal) -> None:
    for _ in range(3):
        submit(journal)
    mine, theirs = journal.claim("me"), journal.claim("dead")
    assert mine is not None
    assert theirs is not None
    assert journal.owners() == {"me", "dead"}
    assert [job.id for job in journal.release("dead", "dead")] == [theirs.id]
    assert journal.owners() == {"me"}
    assert [job.id for job in journal.running("me")] == [mine.id]
    again = journal.claim("me")
    assert again is not None
    assert (again.id, again.started_at) == (theirs.id, theirs.started_at)


def test_only_waiting_jobs_are_failed_from_outside(journal: Journal) -> None:
    running, waiting = claimed(journal), submit(journal)
    assert [job.id for job in journal.waiting()] == [waiting.id]
    error = {"code": "dataset_deleted", "detail": "gone"}
    assert journal.fail_waiting(waiting.id, error).error == error
    for job in (running, waiting):
        before = journal.get(job.id)
        with pytest.raises(IllegalMove):
            journal.fail_waiting(job.id, {})
        assert journal.get(job.id) == before


def test_who_listens_is_told_after_the_commit(engine: Engine) -> None:
    seen: list[tuple[str, Status]] = []
    journal = Journal(engine, changed=lambda job_id: seen.append((job_id, Journal(engine).get(job_id).status)))
    job = submit(journal)
    claim = journal.claim("me")
    assert claim is not None
    journal.finish(claim, Status.SUCCEEDED, result={})
    assert seen == [(job.id, "queued"), (job.id, "running"), (job.id, "succeeded")]


@ON_SQLITE
def test_a_full_disk_changes_nothing_and_passes(journal: Journal, engine: Engine) -> None:
    job = claimed(journal)
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
    limit_pages(engine, pages or 0)
    with pytest.raises(JournalFull):
        for _ in range(1000):
            journal.message(job, "x" * 2000)
    with pytest.raises(JournalFull):
        journal.submit("line", {"rows": "x" * 10**6}, {})
    said = len(journal.events(job.id))
    limit_pages(engine, 10**6)
    journal.message(job, "again")
    events = journal.events(job.id)
    assert [event.id for event in events] == list(range(1, said + 2))
    assert journal.list_jobs() == ([job], False)


@ON_SQLITE
def test_a_locked_journal_is_an_error_of_its_own(journal: Journal, engine: Engine, tmp_path: Path) -> None:
    job = submit(journal)
    other = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with other.connect().execution_options(write=True) as connection, connection.begin():
        assert journal.get(job.id) == job  # who only reads need not wait
        with pytest.raises(JournalUnavailable):
            journal.cancel(job.id)
    other.dispose()
    assert journal.cancel(job.id).status is Status.CANCELLED


def limit_pages(engine: Engine, pages: int) -> None:
    """On the one connection that a single thread's pool gives again and again."""
    with engine.connect() as connection:
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
