"""Sweeps in the journal: each step is made once, and a request reaches the trials."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.jobs.errors import IdempotencyMismatch, IllegalMove, SweepDamaged, SweepNotFound
from service.jobs.job import DAMAGED, Status
from service.jobs.job_queue import JobQueue
from service.jobs.sweep import SweepStatus
from service.jobs.sweep_steps import NewJob, NewTrial, SweepSteps, TrialEnd
from service.jobs.verification import verify

SPEC: dict[str, Any] = {"model_name": "m", "data": {"kind": "rows", "records": [[1.5, "a"]]}}
SETTINGS: dict[str, Any] = {"trials": 4, "parallel": 2, "max_seconds": None}


@pytest.fixture
def steps(engine: Engine) -> SweepSteps:
    return SweepSteps(engine)


def begun(steps: SweepSteps, **settings: Any) -> str:
    """A new sweep."""
    return steps.create("m", SPEC, SETTINGS | settings)[0].id


def trial(lr: float) -> NewTrial:
    """A trial with a job."""
    return NewTrial({"optimizer.lr": lr}, NewJob(SPEC, {"publishes": False}, 0))


def test_a_round_is_made_once(steps: SweepSteps) -> None:
    sweep_id = begun(steps)
    assert steps.to_advance() == [sweep_id]
    assert steps.begin_round(
        sweep_id, 0, [trial(0.1), NewTrial({"optimizer.lr": -1.0}, None, {"code": "invalid_spec"})]
    )
    assert not steps.begin_round(sweep_id, 0, [trial(0.2)])
    sweep = steps.sweep(sweep_id)
    assert [(each.number, each.settings["optimizer.lr"], each.status) for each in sweep.trials] == [
        (1, 0.1, Status.QUEUED),
        (2, -1.0, Status.FAILED),
    ]
    assert [each.number for each in sweep.open_trials] == [1] and "records" not in sweep.spec["data"]
    job = steps.get(sweep.trials[0].job_id or "")
    assert job.context["sweep"] == {"id": sweep_id, "number": 1, "winner": False} and job.spec == SPEC
    assert [each.id for each in steps.list_jobs(sweep=sweep_id)[0]] == [job.id]
    assert steps.list_jobs(sweep="another")[0] == []
    assert steps.whole_spec(sweep_id) == SPEC


def test_trials_that_share_a_job_have_each_its_own_part_of_the_end(steps: SweepSteps, queue: JobQueue) -> None:
    sweep_id, shared = begun(steps, trials=5), NewJob(SPEC, {"publishes": False}, 0)
    alone, refused = trial(0.3), NewTrial({"optimizer.lr": -1.0}, None, {"code": "invalid_spec"})
    both = [NewTrial({"optimizer.lr": lr}, shared) for lr in (0.1, 0.2, 0.4)]
    assert steps.begin_round(sweep_id, 0, [both[0], alone, refused, both[1], both[2]])
    found = steps.sweep(sweep_id).trials
    assert [each.vectorized for each in found] == [True, False, False, True, True]
    assert found[0].job_id == found[3].job_id == found[4].job_id != found[1].job_id
    jobs = [steps.get(each.id) for each in steps.list_jobs(sweep=sweep_id)[0]]
    about = {"id": sweep_id, "winner": False}
    assert [each.context["sweep"] for each in jobs] == [
        about | {"number": 2},
        about | {"number": 1, "vectorized": [1, 4, 5]},
    ]
    job = queue.claim("us")
    assert job is not None and job.id == found[0].job_id
    parts = {"1": {"losses": {"validation_loss": 0.5}}, "4": {"error": {"code": "training_diverged", "detail": "NaN"}}}
    queue.finish(job, Status.SUCCEEDED, result={"version": None, "trials": parts})
    first, _, _, fourth, fifth = steps.sweep(sweep_id).trials
    assert (first.status, first.result) == (Status.SUCCEEDED, {"version": None, "losses": {"validation_loss": 0.5}})
    assert (fourth.status, (fourth.error or {})["code"], fourth.result) == (Status.FAILED, "training_diverged", None)
    assert fifth.status is Status.FAILED and fifth.error is not None  # of which the job says nothing
    steps.settle(sweep_id, [TrialEnd(4, fourth.status, None, None, fourth.error)])
    settled = steps.sweep(sweep_id).trials[3]
    assert settled.ended and settled.vectorized and settled.error == fourth.error


def test_ends_are_noted_once_and_outlive_their_jobs(steps: SweepSteps, queue: JobQueue, engine: Engine) -> None:
    sweep_id = begun(steps)
    steps.begin_round(sweep_id, 0, [trial(0.1)])
    job = queue.claim("us")
    assert job is not None
    queue.finish(job, Status.SUCCEEDED, result={"losses": {"validation_loss": 0.5}})
    assert steps.sweep(sweep_id).trials[0].result == {"losses": {"validation_loss": 0.5}}
    steps.settle(sweep_id, [TrialEnd(1, Status.SUCCEEDED, 0.5, {"version": None}, None)])
    steps.settle(sweep_id, [TrialEnd(1, Status.FAILED, None, None, {"code": "later"})])
    with engine.connect() as connection, connection.begin():
        for table in ("events", "attempts", "records", "jobs"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own words
    ended = steps.sweep(sweep_id).trials[0]
    assert (ended.status, ended.objective, ended.error, ended.ended) == (Status.SUCCEEDED, 0.5, None, True)


def test_a_job_that_was_deleted_before_its_end_is_a_failure(steps: SweepSteps, engine: Engine) -> None:
    sweep_id = begun(steps)
    steps.begin_round(sweep_id, 0, [trial(0.1)])
    with engine.connect() as connection, connection.begin():
        for table in ("events", "records", "jobs"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own words
    lost = steps.sweep(sweep_id).open_trials[0]
    assert lost.status is Status.FAILED and (lost.error or {})["code"] == "job_not_found"


def test_the_winner_is_submitted_once_and_the_sweep_ends_once(steps: SweepSteps) -> None:
    sweep_id = begun(steps)
    assert steps.begin_winner(sweep_id, 3, NewJob(SPEC, {}, 0))
    assert not steps.begin_winner(sweep_id, 2, NewJob(SPEC, {}, 0))
    winner = steps.get(steps.sweep(sweep_id).winner_job or "")
    assert winner.context["sweep"] == {"id": sweep_id, "number": 3, "winner": True}
    assert [each.id for each in steps.list_jobs(sweep=sweep_id)[0]] == [winner.id]
    assert steps.end(sweep_id, SweepStatus.SUCCEEDED, result={"model_name": "m", "version": 1})
    assert not steps.end(sweep_id, SweepStatus.FAILED, error={"code": "late"})
    sweep = steps.sweep(sweep_id)
    assert (sweep.status, sweep.best, sweep.error) == (SweepStatus.SUCCEEDED, 3, None) and sweep.finished_at
    assert steps.to_advance() == []
    for request in (steps.cancel_sweep, steps.pause_sweep, steps.resume_sweep):
        with pytest.raises(IllegalMove, match="the sweep has succeeded, and can no longer be"):
            request(sweep_id)


def test_a_stopped_sweep_begins_nothing_and_its_request_waits_for_the_trials(steps: SweepSteps) -> None:
    sweep_id = begun(steps)
    assert steps.pause_sweep(sweep_id).status is SweepStatus.PAUSED
    assert not steps.begin_round(sweep_id, 0, [trial(0.1)])
    assert not steps.begin_winner(sweep_id, 1, NewJob(SPEC, {}, 0)) and not steps.end(sweep_id, SweepStatus.FAILED)
    assert steps.to_advance() == [sweep_id] and steps.carried_out(sweep_id, "pause")
    assert steps.to_advance() == [] and not steps.carried_out(sweep_id, "pause")
    steps.resume_sweep(sweep_id)
    steps.cancel_sweep(sweep_id)
    assert not steps.carried_out(sweep_id, "resume") and steps.carried_out(sweep_id, "cancel")
    assert steps.cancel_sweep(sweep_id).status is SweepStatus.CANCELLED


def test_a_pause_stops_the_clock(engine: Engine) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    steps = SweepSteps(engine, clock=lambda: now)
    sweep_id = begun(steps, max_seconds=60.0)
    assert steps.sweep(sweep_id).deadline == "2026-11-29T00:01:00.000000Z"
    now += timedelta(seconds=20)
    assert steps.pause_sweep(sweep_id).deadline is None
    now += timedelta(hours=1)
    assert steps.resume_sweep(sweep_id).deadline == "2026-11-29T01:01:00.000000Z"


def test_the_same_key_gives_the_same_sweep(steps: SweepSteps) -> None:
    first, new = steps.create("m", SPEC, SETTINGS, idempotency=("key", "digest"))
    again, newer = steps.create("m", SPEC, SETTINGS, idempotency=("key", "digest"))
    assert (first.id, new, newer) == (again.id, True, False)
    known = steps.recall_sweep("key", "digest")
    assert known is not None and known.id == first.id and steps.recall_sweep("other", "digest") is None
    with pytest.raises(IdempotencyMismatch):
        steps.create("m", SPEC, SETTINGS, idempotency=("key", "another"))


def test_lists_and_what_is_not_there(steps: SweepSteps) -> None:
    made = [begun(steps) for _ in range(3)]
    found, more = steps.list_sweeps(limit=2)
    assert [each.id for each in found] == made[:0:-1] and more
    assert [each.id for each in steps.list_sweeps(after=made[1], limit=2)[0]] == made[:1]
    assert steps.list_sweeps(model_name="\0", limit=2) == ([], False)
    for unknown in ("none", "\0"):
        with pytest.raises(SweepNotFound):
            steps.sweep(unknown)


def test_old_sweeps_are_forgotten_with_their_trials(engine: Engine) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    steps = SweepSteps(engine, clock=lambda: now)
    old, living = begun(steps), begun(steps)
    steps.begin_round(old, 0, [trial(0.1)])
    steps.end(old, SweepStatus.FAILED, error={"code": "x"})
    now += timedelta(days=3)
    steps.forget_sweeps(2)
    assert [each.id for each in steps.list_sweeps(limit=9)[0]] == [living]


@pytest.mark.parametrize(
    "damage",
    ["UPDATE sweeps SET settings = '{}'", "UPDATE trials SET objective = 0.1", "UPDATE trials SET settings = 'x'"],
)
def test_a_damaged_sweep_is_shown_as_failed_and_can_be_cancelled(
    steps: SweepSteps, engine: Engine, damage: str
) -> None:
    sweep_id = begun(steps)
    steps.begin_round(sweep_id, 0, [trial(0.1)])
    with engine.connect() as connection, connection.begin():
        connection.execute(text(damage))
    assert [(each.table, each.problem) for each in verify(engine)] == [(damage.split()[1], "damaged")]
    sweep = steps.sweep(sweep_id)
    assert sweep.damaged and sweep.status is SweepStatus.FAILED and (sweep.error or {})["code"] == DAMAGED
    assert steps.cancel_sweep(sweep_id).status is SweepStatus.CANCELLED


def test_records_that_were_changed_are_not_trained_with(steps: SweepSteps, engine: Engine) -> None:
    sweep_id = begun(steps)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE sweeps SET records = '[[2.5,\"a\"]]'"))
    with pytest.raises(SweepDamaged):
        steps.whole_spec(sweep_id)
