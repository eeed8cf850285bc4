"""One damaged row of the journal is shown as damaged, and takes nothing with it."""

import random
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, text, update

from service.jobs import tables
from service.jobs.database import migrate
from service.jobs.dispatch import Dispatch
from service.jobs.errors import IllegalMove
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job, Status
from service.jobs.journal import Journal
from service.jobs.seals import SEALED
from service.telemetry.jobs import JobFigures, JournalFigures
from tests.jobs.steps import SPEC, submit

WRONG = [
    ("spec", '{"data":{"kind":"line"'),
    ("spec", '{"data":{"kind":"lime"}}'),  # still JSON, and not what was written
    ("spec", "[1]"),
    ("context", "{"),
    ("status", "queuee"),
    ("model_name", "lime"),
    ("created_at", "2026-13-01"),
    ("priority", 4),
    ("attempt", 3),
]


def spoil(engine: Engine, job: Job, column: str, value: Any) -> None:
    """As a bad disk does: nobody asks the journal."""
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == job.id).values({column: value}))


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_damaged_job_is_shown_as_damaged_and_those_behind_it_run(
    engine: Engine, column: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    figures = JobFigures(CollectorRegistry())
    journal = Journal(engine, moved=figures.moved)
    dispatch = Dispatch(engine, moved=figures.moved)
    first, second = submit(journal), submit(journal)
    spoil(engine, first, column, value)
    shown = journal.get(first.id)
    assert shown.damaged
    assert shown.status is Status.FAILED
    assert shown.error is not None
    assert "journal" in shown.error["detail"]
    assert [job.id for job in journal.list_jobs()[0]] == [second.id, first.id]
    assert [job.id for job in journal.waiting()] == [second.id]  # all that the deletion of a data set looks at
    assert sum(journal.counts().values()) == 2
    assert list(JournalFigures(journal.counts).collect())
    with pytest.raises(IllegalMove):
        journal.pause(first.id)
    with pytest.raises(IllegalMove):
        journal.resume(first.id)
    claimed = dispatch.claim("me")
    assert claimed is not None
    assert claimed.id == second.id
    assert dispatch.claim("me") is None
    if column not in ("status", "attempt"):
        assert "damaged in the journal" in caplog.text
    assert journal.get(first.id).damaged
    Housekeeping(engine).forget_old(30)


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_damaged_job_can_be_cancelled(engine: Engine, column: str, value: Any, claimed: bool) -> None:
    journal, dispatch = Journal(engine), Dispatch(engine)
    job = submit(journal)
    spoil(engine, job, column, value)
    if claimed:
        assert dispatch.claim("me") is None  # it was met, and has failed
    cancelled = journal.cancel(job.id)
    assert (cancelled.status, cancelled.damaged) == (Status.CANCELLED, True)
    assert journal.get(job.id) == cancelled
    assert journal.cancel(job.id) == cancelled
    event = journal.events(job.id)[-1]
    assert (event.data["status"], event.data["error"]["code"]) == ("cancelled", "journal_damaged")


@pytest.mark.parametrize(("column", "value"), [("spec", "{"), ("attempt", 7), ("status", "runninh")])
def test_a_job_that_is_damaged_while_it_runs_ends_and_does_not_begin_again(
    engine: Engine, column: str, value: Any
) -> None:
    journal, dispatch = Journal(engine), Dispatch(engine)
    submit(journal)
    job = dispatch.claim("me")
    assert job is not None
    spoil(engine, job, column, value)
    assert len(dispatch.running("me")) == (column != "status")
    dispatch.release("me", {"code": "lease_lost", "detail": "dead"})
    assert dispatch.claim("me") is None
    assert journal.get(job.id).status is Status.FAILED


def test_no_webhook_goes_where_a_damaged_row_says(engine: Engine) -> None:
    journal = Journal(engine)
    job = journal.submit("line", {"webhook": {"url": "http://localhost/"}}, {})[0]
    spoil(engine, job, "spec", '{"webhook":{"url":"http://lacalhost/"}}')
    journal.cancel(job.id)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM deliveries")).scalar() == 0


def test_every_move_seals_the_row_anew(engine: Engine) -> None:
    journal, dispatch = Journal(engine), Dispatch(engine)
    job = submit(journal)
    journal.pause(job.id)
    journal.resume(job.id)
    claimed = dispatch.claim("me")
    assert claimed is not None
    dispatch.record(claimed, progress={"epoch": 1}, latest={"loss": 1.0}, epochs={"epoch": [1], "loss": [1.0]})
    dispatch.crash(claimed, "gone")
    assert not journal.get(job.id).damaged
    spoil(engine, job, "not_before", None)
    claimed = dispatch.claim("me")
    assert claimed is not None
    assert not dispatch.finish(claimed, Status.SUCCEEDED, result={"version": 1}).damaged
    spoil(engine, job, "result", '{"version":3}')
    assert journal.get(job.id).damaged


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_every_flip_of_a_bit_in_what_is_sealed_is_seen(engine: Engine) -> None:
    journal, dice = Journal(engine), random.Random(7)  # noqa: S311 - no secret
    job = submit(journal, priority=1)
    with engine.connect() as connection:
        before = dict(connection.execute(tables.jobs.select()).mappings().one())
    for column in SEALED:
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
    journal, dispatch = Journal(engine), Dispatch(engine)
    submit(journal)
    job = dispatch.claim("me")
    assert job is not None
    for epoch in (1, 2):
        dispatch.record(job, progress={"epoch": epoch}, latest={"loss": 1.0}, epochs={"epoch": [epoch], "loss": [1.0]})
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(update(tables.events).where(tables.events.c.number == 2).values(data='{"status'))
        connection.execute(update(tables.attempts).values(status="quit", cause="{"))
        connection.execute(update(tables.metrics).where(tables.metrics.c.first_epoch == 1).values(series="{"))
        connection.execute(update(tables.jobs).values(progress="{", metrics="["))
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
    assert journal.metrics(job.id)["epoch"] == [2]
    assert not journal.get(job.id).damaged  # these are only what can be seen of it
    dispatch.record(job, progress={"epoch": 3}, latest={}, epochs={"epoch": [3], "loss": [1.0]})
    assert dispatch.finish(job, Status.SUCCEEDED, result={}).status is Status.SUCCEEDED


def test_rows_of_before_there_were_seals_are_read_and_run(engine: Engine) -> None:
    journal, dispatch = Journal(engine), Dispatch(engine)
    job = submit(journal)
    spoil(engine, job, "seal", None)
    assert not journal.get(job.id).damaged
    claimed = dispatch.claim("me")
    assert claimed is not None
    assert claimed.spec == SPEC
    ended = dispatch.finish(claimed, Status.SUCCEEDED, result={})
    assert not ended.damaged
    spoil(engine, job, "spec", "{")
    assert journal.get(job.id).damaged
    migrate(engine)
