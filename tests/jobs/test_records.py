"""The records of a spec are stored apart from their job: lists do not read them, reports do not write them, and their loss
is detected."""

import tracemalloc
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal

RECORDS = [{"x": number, "y": "a text"} for number in range(2_000)]
SPEC: dict[str, Any] = {"model_name": "m", "data": {"kind": "rows", "records": RECORDS, "targets": ["y"]}, "seed": 4}
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_a_job_has_its_records_and_lists_have_none(journal: Journal, queue: JobQueue) -> None:
    job, _ = journal.submit("m", SPEC, {}, idempotency=("key", "digest"))
    assert job.spec == journal.get(job.id).spec == SPEC
    again = journal.recall("key", "digest")
    assert again is not None and again.spec == SPEC
    [listed], _ = journal.list_jobs()
    assert listed.spec == {**SPEC, "data": {"kind": "rows", "targets": ["y"]}}
    claimed = queue.claim("me")
    assert claimed is not None and claimed.spec == SPEC


@ON_SQLITE
def test_a_page_of_large_jobs_takes_little_memory(journal: Journal, engine: Engine) -> None:
    large = {**SPEC, "data": {**SPEC["data"], "records": [{"x": "x" * 2**20}]}}
    for _ in range(40):
        journal.submit("m", large, {})
    tracemalloc.start()
    try:
        jobs, more = journal.list_jobs(limit=40)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(jobs), more) == (40, False)
    assert peak < 2**20


@ON_SQLITE
def test_a_page_ends_at_large_rows_of_earlier_versions(journal: Journal, engine: Engine) -> None:
    ids = [journal.submit("m", {**SPEC, "note": "x" * 2**20}, {})[0].id for _ in range(12)]
    found: list[str] = []
    more = True
    while more:
        jobs, more = journal.list_jobs(limit=100, after=found[-1] if found else None)
        assert 1 <= len(jobs) <= 5
        found += [each.id for each in jobs]
    assert found == ids[::-1]


@ON_SQLITE
@pytest.mark.parametrize(
    "damage", ["DELETE FROM records", "UPDATE records SET records = replace(records, 'a text', 'b text')"]
)
def test_a_job_with_changed_records_is_damaged(journal: Journal, queue: JobQueue, engine: Engine, damage: str) -> None:
    job, _ = journal.submit("m", SPEC, {})
    behind, _ = journal.submit("m", {**SPEC, "data": {"kind": "line"}}, {})
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(text(damage))
    shown = journal.get(job.id)
    assert shown.damaged and shown.status is Status.FAILED
    claimed = queue.claim("me")
    assert claimed is not None and claimed.id == behind.id
