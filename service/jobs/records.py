"""The records in a spec (`data.records`), which may be 16 MiB: kept in a table of their own, so that listing jobs and
recording metrics does not read or write them. The spec has their digest in their place, which the job's seal covers. Specs
older than that table still hold their records."""

import hashlib
import math
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from service.jobs.job import Job
from service.jobs.rows import damage, job_of, json_text, shown_status
from service.jobs.seals import Row
from service.jobs.tables import records
from service.strict_json import decode


def extract_records(spec: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The spec with a digest in place of its records, and the records as JSON; None if it has none."""
    data = spec.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("records"), list):
        return spec, None
    text = json_text(data["records"])
    return {**spec, "data": {**data, "records": {"sha256": digest_of(text)}}}, text


def outline(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without any records."""
    data = spec.get("data")
    if not isinstance(data, dict) or "records" not in data:
        return spec
    return {**spec, "data": {name: value for name, value in data.items() if name != "records"}}


def has_digest(job: Job) -> bool:
    """Whether the job's spec has a digest in place of its records."""
    data = job.spec.get("data")
    return isinstance(data, dict) and isinstance(data.get("records"), dict)


def matches_digest(job: Job, text: str) -> bool:
    """Whether the spec's digest is that of these records, as JSON."""
    return bool(digest_of(text) == job.spec["data"]["records"].get("sha256"))


def whole_job(connection: Connection, row: Row) -> Job:
    """The job of a row of `jobs`, with its records. A job whose records are lost or changed is damaged."""
    job = job_of(row)
    if job.damaged or not has_digest(job):
        return job
    data = job.spec["data"]
    text = connection.execute(select(records.c.records).where(records.c.job_seq == row["seq"])).scalar()
    if text is None or not matches_digest(job, text):
        return replace(job, spec=outline(job.spec), status=shown_status(job.status), error=damage("this job"))
    return replace(job, spec={**job.spec, "data": {**data, "records": decode(text.encode(), math.inf)}})


def digest_of(text: str) -> str:
    """The digest that a spec has in place of these records, as JSON."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
