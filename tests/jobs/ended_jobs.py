"""Ended jobs with their delivery in the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, select

from service.jobs import tables
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.jobs.rows import time_text
from service.jobs.seals import sealed


def end_job(engine: Engine, url: str, now: datetime) -> Job:
    """A cancelled job with a webhook to this URL."""
    journal = Journal(engine, clock=lambda: now)
    job = journal.cancel(journal.submit("line", {}, {})[0].id)
    due = sealed("deliveries", {"url": url, "tries": 0, "next_at": time_text(now), "end": 1}, job.id)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(insert(tables.deliveries).values(job_seq=seq(engine, job), **due))
    return job


def seq(engine: Engine, job: Job) -> int:
    """The job's number in the journal."""
    with engine.connect() as connection:
        return int(connection.execute(select(tables.jobs.c.seq).where(tables.jobs.c.id == job.id)).scalar_one())


def delivery(engine: Engine, job: Job) -> dict[str, Any]:
    """The job's row in the outbox."""
    query = select(tables.deliveries).where(tables.deliveries.c.job_seq == seq(engine, job))
    with engine.connect() as connection:
        return dict(connection.execute(query).mappings().one())
