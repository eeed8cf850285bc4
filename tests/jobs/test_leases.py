"""A single service keeps its lease on a slow journal; one that cannot write its heartbeat loses it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from service.jobs.database import open_database
from service.jobs.errors import AttemptSuperseded, JournalUnavailable
from service.jobs.job import Status
from service.jobs.job_queue import MOST_FENCED, MOST_PASSES, JobQueue
from service.jobs.journal import Journal
from service.jobs.leases import Leases, LeaseTimes
from service.jobs.ownership import Ownership
from service.jobs.rows import SUSPECT
from tests.harness.until import until
from tests.jobs.runners import Start, ended, messages, submit
from tests.jobs.steps import claimed, record
from tests.jobs.steps import submit as submit_plainly

ONCE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


# The default times divided by five.
HASTY = LeaseTimes(beat=0.2, allowed=1.0, expired=1.6, idle_beat=0.5)


def slow_down(engine: Engine, seconds: float) -> None:
    """Delay each commit, as on a slow disk."""
    event.listen(engine, "commit", lambda _: time.sleep(seconds))


@contextmanager
def written_by_another(engine: Engine) -> Iterator[None]:
    """Lock the journal, as another process does."""
    other = open_database(str(engine.url))
    with other.connect().execution_options(write=True) as connection, connection.begin():
        yield
    other.dispose()


@ONCE
def test_a_single_service_on_a_slow_disk_keeps_its_lease(
    start: Start, journal: Journal, engine: Engine, tmp_path: Path
) -> None:
    runner = start(slots=2, lease=HASTY)
    until(lambda: runner.ready)
    flag = tmp_path / "flag"
    flag.touch()
    long = submit(journal, runner, "silent", **{"while": str(flag)})
    until(lambda: journal.get(long).status is Status.RUNNING)
    slow_down(engine, 0.1)
    for _ in range(2):  # each sends more messages at once than single writes could store within a lease
        job_id = submit(journal, runner, "reports_much")
        assert ended(journal, job_id).status is Status.SUCCEEDED
        assert journal.metrics(job_id)["epoch"] == list(range(1, 61))
    flag.unlink()
    assert ended(journal, long).status is Status.SUCCEEDED
    assert [attempt.cause for attempt in journal.attempts(long)] == [None]
    assert runner.fenced == 0


@ONCE
def test_reports_that_arrive_together_are_one_transaction(start: Start, journal: Journal, engine: Engine) -> None:
    runner = start(slots=1)
    until(lambda: runner.ready)
    writes: list[str] = []
    event.listen(engine, "begin", lambda connection: writes.extend(["write"] * is_write(connection)))
    slow_down(engine, 0.1)  # so that many messages wait for each write
    job_id = submit(journal, runner, "reports_much")
    assert ended(journal, job_id).status is Status.SUCCEEDED
    assert len(messages(journal, job_id)) == 60
    assert len(writes) < 60  # of 120 messages


def is_write(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("write"))


@ONCE
def test_a_pending_heartbeat_ends_no_attempt_of_a_single_service(
    queue: JobQueue, engine: Engine, tmp_path: Path
) -> None:
    expiries: list[float] = []
    ownership = Ownership(tmp_path / "owners", all_here=True)
    ours = Leases(queue, ownership, expiries.append, times=HASTY)
    ours.start()
    ours.hold(True)
    until(lambda: expiries)
    with written_by_another(engine):
        began = time.monotonic()
        until(lambda: expiries[-1] > began + 2 * HASTY.allowed)  # no heartbeat can be written
        other = Ownership(tmp_path / "owners")  # that could take over its jobs
        until(lambda: expiries[-1] < time.monotonic())
        other.close()
    until(lambda: expiries[-1] > time.monotonic())
    ours.stop()
    ownership.close()


@ONCE
def test_a_service_that_cannot_write_its_heartbeat_stops_renewing(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expiries, full = list[float](), threading.Event()

    class Full(JobQueue):
        def beat(self, owner: str) -> None:
            if full.is_set():
                raise JournalUnavailable
            super().beat(owner)

    ownership = Ownership(tmp_path / "owners", all_here=True)
    ours = Leases(Full(engine), ownership, expiries.append, times=HASTY)
    ours.start()
    ours.hold(True)
    until(lambda: expiries)

    full.set()
    until(lambda: expiries[-1] < time.monotonic())
    full.clear()
    until(lambda: expiries[-1] > time.monotonic())
    assert caplog.text.count("cannot write its heartbeat") == 1
    ours.stop()
    ownership.close()


def test_the_reported_lease_end_never_decreases(queue: JobQueue, tmp_path: Path) -> None:
    expiries: list[float] = []
    ownership = Ownership(tmp_path / "owners")
    ours = Leases(queue, ownership, expiries.append)
    ours.extend(10.0)
    ours.extend(9.0)
    assert expiries == [15.0, 15.0]
    ownership.close()


@contextmanager
def service_elsewhere(queue: JobQueue, folder: Path, expiries: list[float]) -> Iterator[Leases]:
    """A service with a journal that other machines can reach, too."""
    ownership = Ownership(folder)
    service = Leases(queue, ownership, expiries.append, times=HASTY)
    service.start()
    yield service
    service.stop()
    ownership.close()


def test_a_service_without_others_continues_while_its_heartbeat_is_pending(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    queue, expiries = JobQueue(postgres_engine), list[float]()
    with service_elsewhere(queue, tmp_path / "here", expiries) as ours:
        ours.hold(True)
        until(lambda: queue.owners())
        with postgres_engine.connect() as other, other.begin():
            other.execute(text("SELECT * FROM owners FOR UPDATE"))  # blocks its heartbeats
            began = time.monotonic()
            until(lambda: expiries[-1] > began + 2 * HASTY.allowed)
            with service_elsewhere(queue, tmp_path / "there", []):  # runs no job, but could take over
                until(lambda: expiries[-1] < time.monotonic())
        until(lambda: expiries[-1] > time.monotonic())


def test_a_service_takes_over_remote_jobs_only_after_its_own_heartbeats_were_seen(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    queue = JobQueue(postgres_engine)
    claimed(Journal(postgres_engine), queue)
    ownership = Ownership(tmp_path / "owners")
    unseen = Leases(queue, ownership, lambda _: None, times=HASTY)
    with service_elsewhere(queue, tmp_path / "there", []) as seen:
        assert unseen.expired() == []
        until(lambda: seen.expired() == ["me"])
        assert unseen.expired() == []  # has waited as long, but has no heartbeats of its own
    ownership.close()


def test_an_exclusive_waiter_is_overtaken_a_bounded_number_of_times(journal: Journal, engine: Engine) -> None:
    clock = [datetime.now(UTC)]
    queue = JobQueue(engine, clock=lambda: clock[0])
    job = claimed(journal, queue)
    for _ in range(SUSPECT):
        queue.orphan(job, "killed")
        clock[0] += timedelta(seconds=2)
        job = queue.claim("me") or job
    assert job.suspect
    queue.orphan(job, "killed")
    clock[0] += timedelta(seconds=2)
    others = [submit_plainly(journal).id for _ in range(MOST_PASSES + 1)]
    begun = [queue.claim("me", alone=False) for _ in range(MOST_PASSES + 1)]
    assert [each and each.id for each in begun] == [*others[:-1], None]
    alone = queue.claim("me", alone=True)
    assert alone is not None
    assert alone.id == job.id
    following = queue.claim("me", alone=False)
    assert following is not None
    assert following.id == others[-1]


def test_a_job_that_is_fenced_repeatedly_without_a_checkpoint_fails(journal: Journal, engine: Engine) -> None:
    queue = JobQueue(engine)
    job = claimed(journal, queue)
    for time_ in range(1, MOST_FENCED + 1):
        job = queue.fence(job, "silent")
        if time_ < MOST_FENCED:
            assert (job.status, job.fenced) == ("queued", time_)
            job = queue_later(engine).claim("me") or job
    assert (job.status, job.error) == ("failed", {"code": "lease_lost", "detail": "silent"})


def test_a_checkpoint_counts_as_progress_between_two_fences(journal: Journal, engine: Engine) -> None:
    queue = JobQueue(engine)
    job = claimed(journal, queue)
    for _ in range(2 * MOST_FENCED):
        queue.saved(job, 0)  # within a long epoch
        job = queue.fence(job, "silent")
        assert (job.status, job.fenced) == ("queued", 1)
        job = queue_later(engine).claim("me") or job


def queue_later(engine: Engine) -> JobQueue:
    """A queue whose clock is ahead of all delays."""
    return JobQueue(engine, clock=lambda: datetime.now(UTC) + timedelta(seconds=60))


def test_a_transaction_is_atomic_and_notifies_after_the_commit(journal: Journal, engine: Engine) -> None:
    notified: list[str] = []
    queue = JobQueue(engine, changed=notified.append)
    job = claimed(journal, JobQueue(engine))
    with pytest.raises(ZeroDivisionError), queue.together():
        queue.message(job, "lost")
        raise ZeroDivisionError
    assert not notified
    with queue.together():
        record(queue, job, [1, 2], [0.5, 0.4])
        queue.message(job, "kept")
        assert not notified
    assert notified == [job.id, job.id]
    assert messages(journal, job.id) == ["kept"]
    queue.finish(job, Status.CANCELLED)
    with pytest.raises(AttemptSuperseded), queue.together():
        queue.message(job, "late")
