"""A damaged row of the journal is reported as damaged and affects nothing else."""

import random
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, delete, text, update

from service.jobs import tables
from service.jobs.database import open_database
from service.jobs.errors import IdempotencyDamaged, IllegalMove, MetricsDamaged
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job, Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.outbox import Outbox
from service.jobs.rows import damage
from service.jobs.seals import SEALED
from service.jobs.verification import verify
from service.telemetry.jobs import JobFigures, JournalFigures
from tests.jobs.steps import claimed, record, set_columns, submit

WRONG = [
    ("spec", '{"data":{"kind":"line"'),
    ("spec", '{"data":{"kind":"lime"}}'),  # still valid JSON, but changed
    ("spec", "[1]"),
    ("context", "{"),
    ("status", "queuee"),
    ("model_name", "lime"),
    ("created_at", "2026-13-01"),
    ("priority", 4),
    ("attempt", 3),
]


def spoil(engine: Engine, job: Job, column: str, value: Any) -> None:
    """Change the row without the journal, as a bad disk does."""
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == job.id).values({column: value}))


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_damaged_job_is_reported_and_later_jobs_run(
    engine: Engine, column: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    figures = JobFigures(CollectorRegistry())
    journal = Journal(engine, moved=figures.moved)
    queue = JobQueue(engine, moved=figures.moved)
    first, second = submit(journal), submit(journal)
    spoil(engine, first, column, value)
    shown = journal.get(first.id)
    assert shown.damaged
    assert shown.status is Status.FAILED
    assert shown.error is not None
    assert "journal" in shown.error["detail"]
    assert [job.id for job in journal.list_jobs()[0]] == [second.id, first.id]
    assert [job.id for job in journal.waiting()] == [second.id]  # the fields that the deletion of a data set reads
    assert sum(journal.counts().values()) == 2
    assert list(JournalFigures(journal.counts).collect())
    with pytest.raises(IllegalMove):
        journal.pause(first.id)
    with pytest.raises(IllegalMove):
        journal.resume(first.id)
    begun = queue.claim("me")
    assert begun is not None
    assert begun.id == second.id
    assert queue.claim("me") is None
    if column not in ("status", "attempt"):
        assert "damaged in the journal" in caplog.text
    assert journal.get(first.id).damaged
    Housekeeping(engine).forget_old(30)


@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_damaged_job_can_be_cancelled(engine: Engine, column: str, value: Any, met: bool) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    job = submit(journal)
    spoil(engine, job, column, value)
    if met:
        assert queue.claim("me") is None  # the queue has met it, and it has failed
    cancelled = journal.cancel(job.id)
    assert (cancelled.status, cancelled.damaged) == (Status.CANCELLED, True)
    assert journal.get(job.id) == cancelled
    assert journal.cancel(job.id) == cancelled
    event = journal.events(job.id)[-1]
    assert (event.data["status"], event.data["error"]["code"]) == ("cancelled", "journal_damaged")


@pytest.mark.parametrize(("column", "value"), [("spec", "{"), ("attempt", 7), ("status", "runninh")])
def test_a_job_damaged_while_it_runs_ends_and_is_not_restarted(engine: Engine, column: str, value: Any) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    submit(journal)
    job = queue.claim("me")
    assert job is not None
    spoil(engine, job, column, value)
    assert len(queue.running("me")) == (column != "status")
    queue.release("me", {"code": "lease_lost", "detail": "dead"})
    assert queue.claim("me") is None
    assert journal.get(job.id).status is Status.FAILED


def test_no_webhook_is_sent_to_the_url_of_a_damaged_row(engine: Engine) -> None:
    journal = Journal(engine)
    job = journal.submit("line", {"webhook": {"url": "http://localhost/"}}, {})[0]
    spoil(engine, job, "spec", '{"webhook":{"url":"http://lacalhost/"}}')
    journal.cancel(job.id)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM deliveries")).scalar() == 0


def test_every_transition_updates_the_checksum_of_the_row(engine: Engine) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    job = submit(journal)
    journal.pause(job.id)
    journal.resume(job.id)
    begun = queue.claim("me")
    assert begun is not None
    queue.record(begun, progress={"epoch": 1}, latest={"loss": 1.0}, epochs={"epoch": [1], "loss": [1.0]})
    queue.crash(begun, "gone")
    assert not journal.get(job.id).damaged
    set_columns(engine, job, not_before=None)
    begun = queue.claim("me")
    assert begun is not None
    assert not queue.finish(begun, Status.SUCCEEDED, result={"version": 1}).damaged
    spoil(engine, job, "result", '{"version":3}')
    assert journal.get(job.id).damaged


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_flipped_bit_in_a_checksummed_column_is_detected(engine: Engine) -> None:
    journal, dice = Journal(engine), random.Random(7)  # noqa: S311 - no secret
    job = submit(journal, priority=1)
    with engine.connect() as connection:
        before = dict(connection.execute(tables.jobs.select()).mappings().one())
    for column in (*SEALED["jobs"], *SEALED["job states"]):
        if column == "id" or not isinstance(before[column], str):
            continue
        raw = bytearray(before[column].encode())
        for _ in range(8):
            place, bit = dice.randrange(len(raw)), 1 << dice.randrange(8)
            raw[place] ^= bit
            with engine.connect().execution_options(write=True) as connection, connection.begin():
                set_raw = text(f"UPDATE jobs SET {column} = CAST(:raw AS TEXT) WHERE id = :id")  # noqa: S608 - our columns
                connection.execute(set_raw, {"raw": bytes(raw), "id": job.id})
            assert journal.get(job.id).damaged, (column, bytes(raw))
            assert orjson.dumps([each.model_name for each in journal.list_jobs()[0]])
            raw[place] ^= bit
        spoil(engine, job, column, before[column])
        assert not journal.get(job.id).damaged


def test_damaged_events_attempts_and_metrics_hide_nothing_else(engine: Engine) -> None:
    journal, queue = Journal(engine), JobQueue(engine)
    submit(journal)
    job = queue.claim("me")
    assert job is not None
    for epoch in (1, 2):
        queue.record(job, progress={"epoch": epoch}, latest={"loss": 1.0}, epochs={"epoch": [epoch], "loss": [1.0]})
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(update(tables.events).where(tables.events.c.number == 2).values(data='{"status'))
        connection.execute(update(tables.attempts).values(status="quit", cause="{"))
        connection.execute(update(tables.metrics).where(tables.metrics.c.first_epoch == 1).values(series="{"))
    assert [event.data.get("error", {}).get("code") for event in journal.events(job.id)] == [
        None,
        "journal_damaged",
        None,
        None,
    ]
    (attempt,) = journal.attempts(job.id)
    assert attempt.status is None
    assert attempt.cause is not None
    assert attempt.cause["code"] == "journal_damaged"
    with pytest.raises(MetricsDamaged):
        journal.metrics(job.id)
    assert not journal.get(job.id).damaged
    queue.record(job, progress={"epoch": 3}, latest={}, epochs={"epoch": [3], "loss": [1.0]})
    assert queue.finish(job, Status.SUCCEEDED, result={}).status is Status.SUCCEEDED


CHANGES: list[tuple[str, dict[str, Any]]] = [  # each of these rows is valid by itself
    ("jobs", {"finished_at": "2026-01-01T00:00:00.000000Z"}),
    ("jobs", {"metrics": '{"train_loss":2.0}'}),
    ("jobs", {"last_event": 1}),
    ("jobs", {"state_seal": None}),
    ("attempts", {"started_at": "2026-01-01T00:00:00.000000Z"}),
    ("attempts", {"seal": None}),
    ("events", {"type": "message"}),
    ("metrics", {"series": '{"epoch":[1],"train_loss":[2.0]}'}),
    ("deliveries", {"url": "http://lacalhost/"}),
    ("idempotency_keys", {"digest": "other"}),
]


def journal_with_everything(engine: Engine) -> Job:
    journal, queue = Journal(engine), JobQueue(engine)
    journal.submit("line", {"webhook": {"url": "http://localhost/"}}, {}, idempotency=("key", "digest"))
    begun = queue.claim("me")
    assert begun is not None
    record(queue, begun, [1], [1.0])
    return queue.finish(begun, Status.SUCCEEDED, result={})


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("name", "values"), CHANGES)
def test_a_change_without_a_checksum_is_detected_and_named(engine: Engine, name: str, values: dict[str, Any]) -> None:
    job = journal_with_everything(engine)
    assert list(verify(engine)) == []
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(update(tables.metadata.tables[name]).values(values))
    found = list(verify(engine))
    assert {each.table for each in found if each.problem == "damaged"} == {name}
    assert all(job.id in each.key for each in found)
    journal, outbox = Journal(engine), Outbox(engine)
    shown = journal.get(job.id)
    assert (shown.damaged, shown.status) == (name == "jobs", Status.SUCCEEDED)
    codes = [event.data.get("error", {}).get("code") for event in journal.events(job.id)]
    assert codes == ["journal_damaged" if name == "events" else None] * 4
    (attempt,) = journal.attempts(job.id)
    assert (attempt.cause == damage("this attempt")) is (name == "attempts")
    with pytest.raises(MetricsDamaged) if name in ("jobs", "metrics") else nullcontext():
        assert journal.metrics(job.id)["epoch"] == [1]
    assert (outbox.claim(lease=30, schedule=()) is None) is (name in ("jobs", "deliveries"))
    with pytest.raises(IdempotencyDamaged) if name == "idempotency_keys" else nullcontext():
        assert journal.recall("key", "digest") is not None


def test_missing_and_orphaned_rows_are_named(engine: Engine) -> None:
    job = journal_with_everything(engine)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(delete(tables.attempts))
        connection.execute(delete(tables.events).where(tables.events.c.number == 4))
    assert {(each.table, each.problem, each.key) for each in verify(engine)} == {
        ("attempts", "lost", f"job {job.id}: 0 of 1 attempts"),
        ("events", "lost", f"job {job.id}, event 4"),
    }
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(delete(tables.events).where(tables.events.c.number == 2))
        connection.execute(delete(tables.metrics))
    assert ("metrics", "lost", f"of job {job.id}") in {(each.table, each.problem, each.key) for each in verify(engine)}
    journal, lost = Journal(engine), {"error": damage("this event")}
    assert [(each.id, each.data == lost) for each in journal.events(job.id)] == [
        (1, False),
        (2, True),
        (3, False),
        (4, True),
    ]
    assert [each.id for each in journal.events(job.id, after=1, limit=1)] == [2]
    assert [(each.number, each.cause) for each in journal.attempts(job.id)] == [(1, damage("this attempt"))]
    with pytest.raises(MetricsDamaged):
        journal.metrics(job.id)


def test_a_training_continues_with_damaged_counters(engine: Engine) -> None:
    queue = JobQueue(engine)
    job = claimed(Journal(engine), queue)
    spoil(engine, job, "last_event", 0)
    record(queue, job, [1], [1.0])
    assert [event.id for event in Journal(engine).events(job.id)] == [1, 2, 3]
    spoil(engine, job, "progress", "{")
    assert queue.finish(job, Status.SUCCEEDED, result={}).damaged
    assert [event.id for event in Journal(engine).events(job.id)] == [1, 2, 3, 4]


def test_rows_without_checksums_get_them_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    engine = open_database(f"sqlite:///{path}")
    job, broken_job = journal_with_everything(engine), submit(Journal(engine))
    spoil(engine, broken_job, "spec", '{"data":{"kind":"lime"}}')
    engine.dispose()
    with closing(sqlite3.connect(path)) as before:  # as the previous migration left it
        before.execute("UPDATE jobs SET seal = NULL WHERE id = ?", (job.id,))
        for table in ("attempts", "events", "metrics", "deliveries", "idempotency_keys"):
            before.execute(f"ALTER TABLE {table} DROP COLUMN seal")
        for table, column in (("jobs", "state_seal"), ("jobs", "ends"), ("deliveries", "end")):
            before.execute(f'ALTER TABLE {table} DROP COLUMN "{column}"')
        for index in ("jobs_by_end", "jobs_by_model_and_status", "idempotency_keys_by_job"):
            before.execute(f"DROP INDEX {index}")
        for table in ("trials", "sweeps"):
            before.execute(f"DROP TABLE {table}")
        before.execute("UPDATE alembic_version SET version_num = '0004'")
        before.commit()
    engine = open_database(f"sqlite:///{path}")
    assert [each.key for each in verify(engine)] == [f"job {broken_job.id}"]  # damage from before stays
    assert not Journal(engine).get(job.id).damaged
    engine.dispose()
