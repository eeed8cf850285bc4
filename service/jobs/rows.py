"""The journal's rows as values, and values as the text that its columns keep."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from service.jobs.job import AttemptRecord, Event, Job, Status


def job_of(row: RowMapping) -> Job:
    """The job that a row of `jobs` keeps."""
    return Job(
        id=row["id"],
        status=Status(row["status"]),
        requested=row["requested"],
        model_name=row["model_name"],
        spec=orjson.loads(row["spec"]),
        context=orjson.loads(row["context"]),
        priority=row["priority"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempt=row["attempt"],
        progress=orjson.loads(row["progress"]),
        metrics=orjson.loads(row["metrics"]),
        result=orjson.loads(row["result"]) if row["result"] else None,
        error=orjson.loads(row["error"]) if row["error"] else None,
    )


def event_of(row: RowMapping) -> Event:
    """The event that a row of `events` keeps."""
    return Event(row["number"], row["type"], row["created_at"], orjson.loads(row["data"]))


def attempt_of(row: RowMapping) -> AttemptRecord:
    """The attempt that a row of `attempts` keeps."""
    return AttemptRecord(
        number=row["number"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        status=None if row["status"] is None else Status(row["status"]),
        cause=orjson.loads(row["cause"]) if row["cause"] else None,
    )


def json_text(value: object) -> str:
    """A value as JSON."""
    return orjson.dumps(value).decode()


def json_value(text: str) -> Any:
    """The value that a column keeps as JSON."""
    return orjson.loads(text)


def time_text(time: datetime) -> str:
    """A moment in RFC 3339, so that text sorts as time does."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
