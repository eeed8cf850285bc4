"""First steps of tests of the journal."""

from typing import Any

from sqlalchemy import Engine

from service.jobs.job import Job
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.journal_base import change, found

DEAD = {"code": "lease_lost", "detail": "dead"}
SPEC: dict[str, Any] = {"data": {"kind": "line"}}


def submit(journal: Journal, name: str = "line", **more: Any) -> Job:
    return journal.submit(name, SPEC, {}, **more)[0]


def set_columns(engine: Engine, job: Job, **values: Any) -> None:
    """Set columns and the checksum as the journal does."""
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        change(connection, found(connection, job.id), **values)


def claimed(journal: Journal, queue: JobQueue) -> Job:
    submit(journal)
    job = queue.claim("me")
    assert job is not None
    return job


def record(queue: JobQueue, job: Job, epochs: list[int], losses: list[float | None]) -> None:
    latest = {"train_loss": losses[-1]}
    queue.record(
        job, progress={"epoch": epochs[-1]}, latest=latest, epochs={"epoch": epochs, "train_loss": list(losses)}
    )
