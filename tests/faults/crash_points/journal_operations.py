"""Operations of the journal, on SQLite."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, create_engine, select, text

from service.jobs import tables
from service.jobs.database import MIGRATIONS, open_database
from service.jobs.errors import JobsError
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job, Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.outbox import Delivery, Outbox
from service.jobs.verification import integrity, verify
from tests.faults.crash_points.operation import Kind, Operation

RECORDS = {"data": {"kind": "records", "records": [{"x": 1, "y": 2}] * 3}}
SPEC: dict[str, Any] = {"data": {"kind": "line"}}
TOLD = {**SPEC, "webhook": {"url": "https://hooks.example.com/trained"}}
VARYING = {
    "id",
    "job_id",
    "created_at",
    "started_at",
    "finished_at",
    "ended_at",
    "seal",
    "state_seal",
    "not_before",
    "next_at",
    "owner",
}
OWNER = "me"
FILES = {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"}
SCHEDULE = [5.0, 30.0]


def url(home: Path) -> str:
    """The URL of a home's journal."""
    return f"sqlite:///{home / 'journal.sqlite'}"


def state(home: Path) -> Any:
    """All rows, with times and ids reduced to whether they are set."""
    engine = open_database(url(home))
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            order = [column for column in table.primary_key if column.name not in VARYING]
            rows = connection.execute(select(table).order_by(*order)).mappings().all()
            found[table.name] = [
                {name: value is not None if name in VARYING else value for name, value in row.items()} for row in rows
            ]
    engine.dispose()
    return json.loads(json.dumps(found))


def faults(home: Path) -> list[str]:
    """The result of its own checks, and files that are not the journal's."""
    return damages(home) + [f"left: {path.name}" for path in home.iterdir() if path.name not in FILES]


def damages(home: Path) -> list[str]:
    """The result of SQLite's checks and of `journal verify`."""
    engine = open_database(url(home))
    with engine.connect() as connection:
        foreign = connection.execute(text("PRAGMA foreign_key_check")).all()
    found = [*integrity(engine), *map(str, foreign), *map(str, verify(engine))]
    Journal(engine).list_jobs()
    engine.dispose()
    return found


JOURNAL = Kind(state, faults, (JobsError,))


def prepare(home: Path) -> None:
    """Jobs in four states: ended with a delivery, running with reports, paused, queued."""
    home.mkdir()
    engine = open_database(url(home))
    journal, queue = Journal(engine), JobQueue(engine)
    journal.submit("line", TOLD, {})
    queue.finish(_claimed(queue), Status.SUCCEEDED, result={"model_name": "line", "version": 1})
    journal.submit("line", TOLD, {}, priority=1)
    job = _claimed(queue)
    _report(queue, job, 1)
    queue.saved(job, 1)
    journal.pause(journal.submit("line", SPEC, {})[0].id)
    journal.submit("line", SPEC, {}, idempotency=("known", "digest"))
    engine.dispose()


def _claimed(queue: JobQueue) -> Job:
    job = queue.claim(OWNER)
    assert job is not None
    return job


def _report(queue: JobQueue, job: Job, epoch: int) -> None:
    latest = {"train_loss": 1 / epoch}
    epochs: Any = {"epoch": [epoch], "train_loss": [1 / epoch]}
    queue.record(job, progress={"epoch": epoch}, latest=latest, epochs=epochs)


def _journal(home: Path) -> Journal:
    return Journal(open_database(url(home)))


def _dispatch(home: Path) -> tuple[JobQueue, Job]:
    """The queue, with the running job."""
    queue = JobQueue(open_database(url(home)))
    return queue, queue.running(OWNER)[0]


def _id(journal: Journal, status: Status) -> str:
    return journal.list_jobs(status=status)[0][0].id


def opened(home: Path) -> Iterator[None]:
    """Creates a journal."""
    yield
    open_database(url(home)).dispose()


def prepare_home(home: Path) -> None:
    """An empty folder."""
    home.mkdir()


def prepare_old(home: Path) -> None:
    """A journal of the first schema revision, with a job."""
    with _at_revision(home, "0001") as connection:
        row = {"id": "a", "status": "queued", "model_name": "line", "created_at": "2026-01-31T12:00:00.000000Z"}
        row |= dict.fromkeys(("spec", "context", "progress", "metrics"), "{}")
        numbers: dict[str, Any] = dict.fromkeys(("priority", "attempt", "crashes", "publishing", "last_event"), 0)
        known = [tables.jobs.c[name] for name in {**row, **numbers}]
        connection.execute(
            Table("jobs", MetaData(), *(Column(each.name, each.type) for each in known)).insert(), row | numbers
        )


def prepare_unsealed(home: Path) -> None:
    """A journal with rows of every kind, from before rows had seals and records had a separate table."""
    with _at_revision(home, "0003") as connection:
        prepare(home / "now")
        now = create_engine(url(home / "now"))
        before = MetaData()
        before.reflect(connection)
        with now.connect() as newer:
            for table in before.sorted_tables:
                if table.name in tables.metadata.tables:
                    rows = newer.execute(select(tables.metadata.tables[table.name])).mappings().all()
                    for row in rows:
                        connection.execute(table.insert(), {each.name: row[each.name] for each in table.columns})
        now.dispose()
    shutil.rmtree(home / "now")


@contextmanager
def _at_revision(home: Path, revision: str) -> Iterator[Connection]:
    from alembic import command
    from alembic.config import Config

    home.mkdir()
    engine = create_engine(url(home))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()


def submit(home: Path) -> Iterator[None]:
    """Submits a job without an idempotency key."""
    journal = _journal(home)
    yield
    journal.submit("line", SPEC, {})


def submit_records(home: Path) -> Iterator[None]:
    """Submits a job with records, which have a row of their own."""
    journal = _journal(home)
    yield
    journal.submit("line", RECORDS, {})


def submit_keyed(home: Path) -> Iterator[None]:
    """Submits a job with a new idempotency key."""
    journal = _journal(home)
    yield
    journal.submit("line", SPEC, {}, idempotency=("new", "digest"))


def submit_again(home: Path) -> Iterator[None]:
    """Submits with a key that already has a job."""
    journal = _journal(home)
    yield
    journal.submit("line", SPEC, {}, idempotency=("known", "digest"))


def claim(home: Path) -> Iterator[None]:
    """Claims the next job."""
    queue = JobQueue(open_database(url(home)))
    yield
    queue.claim(OWNER)


def report(home: Path) -> Iterator[None]:
    """Stores all messages from one read of an attempt's socket."""
    queue, job = _dispatch(home)
    yield
    with queue.together():
        for epoch in (2, 3):
            _report(queue, job, epoch)
        queue.message(job, "goes on")
        queue.saved(job, 3)
        queue.beat(OWNER)


def may_publish(home: Path) -> Iterator[None]:
    """Marks the job as publishing; from then on it cannot be cancelled."""
    queue, job = _dispatch(home)
    yield
    queue.may_publish(job)


def cancel_queued(home: Path) -> Iterator[None]:
    """Cancels a queued job, which ends at once."""
    journal = _journal(home)
    job_id = _id(journal, Status.QUEUED)
    yield
    journal.cancel(job_id)


def cancel_running(home: Path) -> Iterator[None]:
    """Requests the cancellation of a running job."""
    journal = _journal(home)
    job_id = _id(journal, Status.RUNNING)
    yield
    journal.cancel(job_id)


def pause(home: Path) -> Iterator[None]:
    """Pauses a queued job."""
    journal = _journal(home)
    job_id = _id(journal, Status.QUEUED)
    yield
    journal.pause(job_id)


def resume(home: Path) -> Iterator[None]:
    """Resumes a paused job."""
    journal = _journal(home)
    job_id = _id(journal, Status.PAUSED)
    yield
    journal.resume(job_id)


def finish(home: Path) -> Iterator[None]:
    """Ends a job and adds its webhook delivery."""
    queue, job = _dispatch(home)
    yield
    queue.finish(job, Status.SUCCEEDED, result={"model_name": "line", "version": 2})


def crash(home: Path) -> Iterator[None]:
    """Queues a crashed job again."""
    queue, job = _dispatch(home)
    yield
    queue.crash(job, "killed")


def put_off(home: Path) -> Iterator[None]:
    """Queues a job again after a transient failure."""
    queue, job = _dispatch(home)
    yield
    queue.put_off(job, {"code": "no_space", "detail": "full"})


def release(home: Path) -> Iterator[None]:
    """Queues all jobs of a dead service again."""
    queue = JobQueue(open_database(url(home)))
    yield
    queue.release(OWNER, {"code": "lease_lost", "detail": "dead"})


def deliver(home: Path) -> Iterator[None]:
    """Claims a webhook delivery."""
    outbox = Outbox(open_database(url(home)))
    yield
    outbox.claim(lease=60.0, schedule=SCHEDULE)


def prepare_delivery(home: Path) -> None:
    """A journal with a claimed delivery."""
    prepare(home)
    Outbox(open_database(url(home))).claim(lease=60.0, schedule=SCHEDULE)


def settle(home: Path) -> Iterator[None]:
    """Stores the result of a delivery."""
    engine = open_database(url(home))
    outbox, job = Outbox(engine), Journal(engine).list_jobs(status=Status.SUCCEEDED)[0][0]
    delivery = Delivery(job, seq=1, url="https://hooks.example.com/trained", tries=1, began=datetime.now(UTC))
    yield
    outbox.settle(delivery, "204", again=None)


def forget(home: Path) -> Iterator[None]:
    """Deletes ended jobs and their events."""
    housekeeping = Housekeeping(open_database(url(home)))
    yield
    housekeeping.forget_old(-1)
    housekeeping.forget_jobs(-1)


ALL = [
    Operation("open a new journal", JOURNAL, opened, prepare_home),
    Operation("open an older journal", JOURNAL, opened, prepare_old),
    Operation("open a journal without seals", JOURNAL, opened, prepare_unsealed),
    Operation("submit", JOURNAL, submit, prepare, repeats=False),
    Operation("submit with records", JOURNAL, submit_records, prepare, repeats=False),
    Operation("submit with a key", JOURNAL, submit_keyed, prepare),
    Operation("submit again under a key", JOURNAL, submit_again, prepare),
    Operation("claim", JOURNAL, claim, prepare),
    Operation("report epochs", JOURNAL, report, prepare, repeats=False),
    Operation("ask to publish", JOURNAL, may_publish, prepare),
    Operation("cancel a queued job", JOURNAL, cancel_queued, prepare, repeats=False),
    Operation("cancel a running job", JOURNAL, cancel_running, prepare),
    Operation("pause", JOURNAL, pause, prepare, repeats=False),
    Operation("resume", JOURNAL, resume, prepare, repeats=False),
    Operation("finish, with a webhook", JOURNAL, finish, prepare, repeats=False),
    Operation("crash", JOURNAL, crash, prepare, repeats=False),
    Operation("put off", JOURNAL, put_off, prepare, repeats=False),
    Operation("release a dead service's jobs", JOURNAL, release, prepare, steps=True),
    Operation("claim a webhook's delivery", JOURNAL, deliver, prepare),
    Operation("settle a webhook's delivery", JOURNAL, settle, prepare_delivery),
    Operation("forget ended jobs", JOURNAL, forget, prepare, steps=True),
]
