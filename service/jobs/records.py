"""The records in a spec (`data.records`), which may be 16 MiB: kept in a table of their own, so that no list of jobs and no
report of a training reads or writes them. In their place the spec has their digest, which the job's seal covers. Specs of
before there was that table hold theirs themselves."""

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


def taken_out(spec: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The spec with their digest in place of its records, and these as JSON; None where it has none."""
    data = spec.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("records"), list):
        return spec, None
    text = json_text(data["records"])
    return {**spec, "data": {**data, "records": {"sha256": _digest(text)}}}, text


def outline(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without any records."""
    data = spec.get("data")
    if not isinstance(data, dict) or "records" not in data:
        return spec
    return {**spec, "data": {name: value for name, value in data.items() if name != "records"}}


def apart(job: Job) -> bool:
    """Whether the job's records are not in this spec of it."""
    data = job.spec.get("data")
    return isinstance(data, dict) and isinstance(data.get("records"), dict)


def belong(job: Job, text: str) -> bool:
    """Whether these are the records, as JSON, that the spec of a job has the digest of."""
    return bool(_digest(text) == job.spec["data"]["records"].get("sha256"))


def whole_job(connection: Connection, row: Row) -> Job:
    """The job that a row of `jobs` keeps, with its records. One whose records are lost or changed is damaged."""
    job = job_of(row)
    if job.damaged or not apart(job):
        return job
    data = job.spec["data"]
    text = connection.execute(select(records.c.records).where(records.c.job_seq == row["seq"])).scalar()
    if text is None or not belong(job, text):
        return replace(job, spec=outline(job.spec), status=shown_status(job.status), error=damage("this job"))
    return replace(job, spec={**job.spec, "data": {**data, "records": decode(text.encode(), math.inf)}})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
