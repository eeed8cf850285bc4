from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert

from service.jobs import tables
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_only_old_events_of_ended_jobs_are_deleted(engine: Engine) -> None:
    now = START
    journal, queue = Journal(engine, clock=lambda: now), JobQueue(engine, clock=lambda: now)
    ended = [journal.submit("line", {}, {})[0].id for _ in range(5)]
    for job_id in ended[:4]:
        journal.cancel(job_id)
    now += timedelta(days=31)
    journal.cancel(ended[4])
    waiting = journal.submit("line", {}, {})[0].id
    queue.claim("me")
    now += timedelta(days=29)
    Housekeeping(engine, at_once=2, clock=lambda: now).forget_old(days=30)
    assert [len(journal.events(job_id)) for job_id in [*ended, waiting]] == [0, 0, 0, 0, 2, 2]
    assert [job.status for job in journal.list_jobs()[0]] == ["running"] + ["cancelled"] * 5


def test_an_idempotency_key_expires_after_a_day(engine: Engine) -> None:
    journal = Journal(engine, clock=lambda: START)
    journal.submit("line", {}, {}, idempotency=("key", "digest"))
    for hours, known in ((23, True), (25, False)):
        Housekeeping(engine, clock=lambda: START + timedelta(hours=hours)).forget_old(days=30)  # noqa: B023 - used at once
        assert (journal.recall("key", "digest") is not None) is known


def test_a_long_job_keeps_its_newest_events_and_all_other_data(engine: Engine) -> None:
    journal, queue = Journal(engine, most_metric_events=10), JobQueue(engine)
    journal.submit("line", {}, {})
    job = queue.claim("me")
    assert job is not None
    queue.message(job, "hello")
    for epoch in range(1, 31):
        queue.record(job, progress={"epoch": epoch}, latest={}, epochs={"epoch": [epoch]})
    Housekeeping(engine, most_metric_events=10).forget_old(days=30)
    events = journal.events(job.id)
    assert [event.type for event in events] == ["status", "status", "message"] + ["metrics"] * 10
    assert [event.data["epoch"] for event in events[3:]] == list(range(21, 31))
    assert journal.metrics(job.id)["epoch"] == list(range(1, 31))


def test_deliveries_are_deleted_with_the_events(engine: Engine) -> None:
    journal = Journal(engine, clock=lambda: START)
    job = journal.submit("line", {"webhook": {"url": "http://localhost/"}}, {})[0]
    journal.cancel(job.id)
    Housekeeping(engine, clock=lambda: START + timedelta(days=31)).forget_old(days=30)
    with engine.begin() as connection:  # another delivery of the same job fits
        connection.execute(insert(tables.deliveries).values(job_seq=1, url="http://localhost/", tries=0))


def test_only_folders_of_ended_jobs_are_removed(engine: Engine, tmp_path: Path) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    ended, paused, running = (journal.submit("line", {}, {})[0].id for _ in range(3))
    journal.cancel(ended)
    journal.pause(paused)
    claimed = queue.claim("me")
    assert claimed is not None and (claimed.id, claimed.status) == (running, Status.RUNNING)
    for name in (f"{ended}-1", f"{paused}-1", f"{running}-1", f"{running}-0", "nobody-1", "a-b"):
        (tmp_path / "attempts" / name).mkdir(parents=True)
    for name in (ended, paused, running, "nobody"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    Housekeeping(engine).sweep(tmp_path / "attempts", tmp_path / "checkpoints")
    assert [path.name for path in (tmp_path / "attempts").iterdir()] == [f"{running}-1"]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {paused, running}
    Housekeeping(engine).sweep(tmp_path / "nowhere", tmp_path / "nowhere")


def test_ended_jobs_are_deleted_with_their_data_if_configured(engine: Engine) -> None:
    now = START
    journal, queue = Journal(engine, clock=lambda: now), JobQueue(engine, clock=lambda: now)
    webhook = {"webhook": {"url": "http://localhost/"}}
    old = [journal.submit("line", webhook, {}, idempotency=(f"key {n}", "digest"))[0].id for n in range(5)]
    for _ in old:
        job = queue.claim("me")
        assert job is not None
        queue.record(job, progress={"epoch": 1}, latest={}, epochs={"epoch": [1]})
        queue.finish(job, Status.SUCCEEDED, result={"version": 1})
    waiting = journal.submit("line", {}, {})[0].id
    now += timedelta(days=10)
    lately = journal.submit("line", {}, {})[0].id
    journal.cancel(lately)
    Housekeeping(engine, clock=lambda: now).forget_jobs(days=11)
    assert len(journal.list_jobs()[0]) == 7
    Housekeeping(engine, at_once=2, clock=lambda: now).forget_jobs(days=9)
    assert [job.id for job in journal.list_jobs()[0]] == [lately, waiting]
    with engine.connect() as connection:
        for table in (tables.attempts, tables.metrics, tables.deliveries, tables.idempotency_keys):
            assert connection.execute(table.select()).all() == []
    assert journal.recall("key 1", "digest") is None
