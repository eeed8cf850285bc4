"""In any order of operations, the journal equals a simple model of dictionaries."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from service.jobs import tables
from service.jobs.database import open_database
from service.jobs.errors import AttemptSuperseded, IllegalMove
from service.jobs.job import FINAL, MOVES, Job, Status
from service.jobs.job_queue import MOST_CRASHES, JobQueue
from service.jobs.journal import Journal
from tests.examples import examples

PATIENCE = 3  # seconds: delays of one and two
OWNERS = st.sampled_from(["ann", "bob"])


@dataclass
class ExpectedJob:
    """The expected state of a job."""

    order: tuple[int, int]  # order of claims: by priority, then by age
    history: list[Status] = field(default_factory=lambda: [Status.QUEUED])
    owner: str | None = None
    attempt: int = 0
    crashes: int = 0
    saved: int = 0
    put_off: int = 0
    resumable: bool = False
    not_before: datetime | None = None
    requested: str | None = None
    publishing: bool = False
    events: int = 1

    @property
    def status(self) -> Status:
        return self.history[-1]

    def move(self, to: Status) -> None:
        if self.status is Status.RUNNING and self.requested == "cancel" and to is not Status.SUCCEEDED:
            to = Status.CANCELLED
        elif self.status is Status.RUNNING and self.requested == "pause" and to is Status.QUEUED:
            to = Status.PAUSED
        self.history.append(to)
        self.requested, self.publishing = None, self.publishing and to not in FINAL
        self.owner = self.owner if to is Status.RUNNING else None
        self.events += 1


class JournalMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = contextlib.ExitStack()
        engine = self.empty()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.journal = Journal(engine, clock=lambda: self.now)
        self.queue = JobQueue(engine, clock=lambda: self.now, patience=PATIENCE)
        self.expected: dict[str, ExpectedJob] = {}

    def empty(self) -> Engine:
        """A database without jobs."""
        folder = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory()))
        engine = open_database(f"sqlite:///{folder / 'journal.sqlite'}")
        self.cleanup.callback(engine.dispose)
        return engine

    def teardown(self) -> None:
        self.cleanup.close()

    @initialize(target=jobs)
    def first(self) -> Any:
        return self.submit(0)

    @rule(target=jobs, priority=st.integers(-1, 1))
    def submit(self, priority: int) -> str:
        job, new = self.journal.submit("line", {"data": {}}, {}, priority=priority)
        assert new
        self.expected[job.id] = ExpectedJob((-priority, len(self.expected)))
        return job.id

    @rule(target=attempts, owner=OWNERS)
    def claim(self, owner: str) -> Job | None:
        waiting = {
            job_id: each
            for job_id, each in self.expected.items()
            if each.status is Status.QUEUED and (each.not_before is None or each.not_before <= self.now)
        }
        job = self.queue.claim(owner)
        if not waiting:
            assert job is None
            return None
        assert job is not None
        assert job.id == min(waiting, key=lambda job_id: waiting[job_id].order)
        expected = self.expected[job.id]
        expected.attempt += 1
        expected.move(Status.RUNNING)
        expected.owner, expected.not_before = owner, None
        return job

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.request_end(job_id, self.journal.cancel, Status.CANCELLED, "cancel")

    @rule(job_id=jobs)
    def pause(self, job_id: str) -> None:
        self.request_end(job_id, self.journal.pause, Status.PAUSED, "pause")

    def request_end(self, job_id: str, call: Callable[[str], Job], to: Status, request: str) -> None:
        expected = self.expected[job_id]
        if expected.status is to or expected.requested == request:
            call(job_id)
        elif expected.publishing or expected.status in FINAL or expected.requested == "cancel":
            with pytest.raises(IllegalMove):
                call(job_id)
        else:
            call(job_id)
            if expected.status is Status.RUNNING:
                expected.requested = request
            else:
                expected.move(to)

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        expected = self.expected[job_id]
        if (expected.status in FINAL and not expected.resumable) or expected.requested == "cancel":
            with pytest.raises(IllegalMove):
                self.journal.resume(job_id)
            return
        self.journal.resume(job_id)
        expected.requested = None
        if expected.resumable:
            expected.crashes, expected.put_off, expected.not_before, expected.resumable = 0, 0, None, False
            expected.move(Status.QUEUED)
        if expected.status is Status.PAUSED:
            expected.move(Status.QUEUED)

    @rule(job_id=jobs)
    def fail_waiting(self, job_id: str) -> None:
        expected = self.expected[job_id]
        if expected.status in (Status.QUEUED, Status.PAUSED):
            self.journal.fail_waiting(job_id, {"code": "dataset_deleted", "detail": ""})
            expected.move(Status.FAILED)
        else:
            with pytest.raises(IllegalMove):
                self.journal.fail_waiting(job_id, {"code": "dataset_deleted", "detail": ""})

    @rule(job=attempts, to=st.sampled_from(sorted(MOVES[Status.RUNNING])))
    def finish(self, job: Job | None, to: Status) -> None:
        if job is not None and self.fenced(job, lambda: self.queue.finish(job, to)):
            self.expected[job.id].move(to)

    @rule(job=attempts, to=st.sampled_from(sorted(MOVES[Status.RUNNING])), cancels=st.booleans())
    def request_and_finish(self, job: Job | None, to: Status, cancels: bool) -> None:
        """Request and end in one step, so that each combination is tried."""
        if job is not None:
            (self.cancel if cancels else self.pause)(job.id)
            self.finish(job, to)

    @rule(job=attempts, epoch=st.integers(1, 3))
    def save(self, job: Job | None, epoch: int) -> None:
        if job is not None and self.fenced(job, lambda: self.queue.saved(job, epoch)):
            expected = self.expected[job.id]
            if epoch > expected.saved:
                expected.saved, expected.crashes, expected.put_off = epoch, 0, 0

    @rule(job=attempts)
    def crash(self, job: Job | None) -> None:
        if job is not None and self.fenced(job, lambda: self.queue.crash(job, "gone")):
            expected = self.expected[job.id]
            expected.crashes += 1
            expected.not_before = self.now + timedelta(seconds=2 ** (expected.crashes - 1))
            expected.move(Status.FAILED if expected.crashes >= MOST_CRASHES else Status.QUEUED)

    @rule(job=attempts, unpublished=st.booleans())
    def put_off(self, job: Job | None, unpublished: bool) -> None:
        error = {"code": "unavailable", "detail": "not now"}
        if job is not None and self.fenced(job, lambda: self.queue.put_off(job, error, unpublished=unpublished)):
            expected = self.expected[job.id]
            wait = expected.put_off + 1
            expected.not_before = self.now + timedelta(seconds=wait)
            expected.publishing = expected.publishing and not unpublished
            expected.move(Status.QUEUED if expected.put_off + wait <= PATIENCE else Status.FAILED)
            expected.put_off += wait
            expected.resumable = expected.status is Status.FAILED

    @rule(job=attempts)
    def message(self, job: Job | None) -> None:
        if job is not None and self.fenced(job, lambda: self.queue.message(job, "hello")):
            self.expected[job.id].events += 1

    @rule(job=attempts)
    def may_publish(self, job: Job | None) -> None:
        if job is not None:
            expected = self.expected[job.id]
            allowed = self.runs(job) and expected.requested != "cancel"
            assert self.queue.may_publish(job) is allowed
            expected.publishing = expected.publishing or allowed

    @rule(owner=OWNERS)
    def release(self, owner: str) -> None:
        theirs = {job_id for job_id, expected in self.expected.items() if expected.owner == owner}
        assert {job.id for job in self.queue.release(owner, {"code": "lease_lost", "detail": "dead"})} == theirs
        for job_id in theirs:
            self.expected[job_id].move(Status.QUEUED)

    def runs(self, job: Job) -> bool:
        expected = self.expected[job.id]
        return expected.status is Status.RUNNING and expected.attempt == job.attempt

    def fenced(self, job: Job, call: Any) -> bool:
        if self.runs(job):
            call()
            return True
        with pytest.raises(AttemptSuperseded):
            call()
        return False

    @invariant()
    def equals_the_model(self) -> None:
        for job_id, expected in self.expected.items():
            job = self.journal.get(job_id)
            assert (job.status, job.attempt, job.requested) == (expected.status, expected.attempt, expected.requested)
            assert (job.finished_at is not None) is (job.status in FINAL)
            events = self.journal.events(job_id)
            assert [event.id for event in events] == list(range(1, expected.events + 1))
            statuses = [event.data["status"] for event in events if event.type == "status"]
            assert statuses == expected.history
            assert all(Status(b) in MOVES[Status(a)] for a, b in pairwise(statuses))
        assert set(self.queue.beats()) == {expected.owner for expected in self.expected.values() if expected.owner}


JournalMachine.TestCase.settings = settings(max_examples=examples(20), stateful_step_count=25, deadline=None)
TestJournalMachine = JournalMachine.TestCase


def test_on_postgres_too(postgres_engine: Engine) -> None:
    class OnPostgres(JournalMachine):
        def empty(self) -> Engine:
            with postgres_engine.begin() as connection:
                for table in reversed(tables.metadata.sorted_tables):
                    connection.execute(table.delete())
            return postgres_engine

    run_state_machine_as_test(OnPostgres, settings=settings(JournalMachine.TestCase.settings, max_examples=examples(5)))
