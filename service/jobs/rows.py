"""The journal's rows as values, and values as the text that its columns keep. What a damaged row still says is told, and
that it is damaged; nothing that stands beside it suffers."""

from datetime import UTC, datetime
from typing import Any

import orjson

from service.jobs.job import DAMAGED, FINAL, AttemptRecord, Event, Job, Status
from service.jobs.seals import Row, broken, job_broken

SUSPECT = 2  # ends of trainer servers while a job ran, after which it runs alone
SHOWN_AS_IT_IS = FINAL | {Status.RUNNING}  # of a damaged job


def job_of(row: Row) -> Job:
    """The job that a row of `jobs` keeps."""
    if damaged(row):
        return _damaged_job(row)
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
        progress=json_or(row["progress"], {}),
        metrics=json_or(row["metrics"], {}),
        result=orjson.loads(row["result"]) if row["result"] else None,
        error=orjson.loads(row["error"]) if row["error"] else None,
        suspect=row["server_deaths"] >= SUSPECT,
        fenced=row["fenced"],
    )


def damaged(row: Row) -> bool:
    """Whether a row of `jobs` is not what was written: by its seals, and because it cannot be read."""
    if job_broken(row):
        return True
    try:
        "".join(row[name] or "" for name in ("id", "model_name", "created_at", "started_at", "finished_at")).encode()
        Status(row["status"])
        objects = [row["spec"], row["context"], row["result"] or "{}", row["error"] or "{}"]
        if not all(isinstance(orjson.loads(each), dict) for each in objects):
            return True
    except (ValueError, TypeError):  # also what is no UTF-8 and no JSON
        return True
    return not (isinstance(row["attempt"], int) and isinstance(row["priority"], int))


def status_of(row: Row) -> Status:
    """The status to show of a row of `jobs`, whatever stands in it: one that is damaged and waits will never begin."""
    known = next((each for each in Status if each == row["status"]), None)
    return Status.FAILED if known is None else shown_status(known) if damaged(row) else known


def shown_status(status: Status) -> Status:
    """The status to show of a damaged job."""
    return status if status in SHOWN_AS_IT_IS else Status.FAILED


def event_of(row: Row, job_id: str) -> Event:
    """The event that a row of `events` keeps."""
    damaged_data = {"error": damage("this event")}
    data = damaged_data if broken("events", row, job_id) else json_or(row["data"], damaged_data)
    return Event(row["number"], _text(row["type"]) or "", _text(row["created_at"]) or "", data)


def attempt_of(row: Row, job_id: str) -> AttemptRecord:
    """The attempt that a row of `attempts` keeps."""
    cause = json_or(row["cause"], damage("this attempt")) if row["cause"] else None
    return AttemptRecord(
        number=row["number"],
        started_at=_text(row["started_at"]) or "",
        ended_at=_text(row["ended_at"]),
        status=next((each for each in Status if each == row["status"]), None),
        cause=damage("this attempt") if broken("attempts", row, job_id) else cause,
    )


def damage(what: str) -> dict[str, Any]:
    """The error of what cannot be trusted any more."""
    return {
        "code": DAMAGED,
        "detail": f"the journal's row of {what} is damaged; see the service's log and your backups",
    }


def json_text(value: object) -> str:
    """A value as JSON."""
    return orjson.dumps(value).decode()


def json_value(text: str) -> Any:
    """The value that a column keeps as JSON."""
    return orjson.loads(text)


def json_or(text: Any, otherwise: dict[str, Any]) -> dict[str, Any]:
    """The object that a column keeps as JSON; another one if it is damaged."""
    try:
        value = orjson.loads(text)
    except (ValueError, TypeError):
        return otherwise
    return value if isinstance(value, dict) else otherwise


def time_text(time: datetime) -> str:
    """A moment in RFC 3339, so that text sorts as time does."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _damaged_job(row: Row) -> Job:
    return Job(
        id=_text(row["id"]) or "",
        status=status_of(row),
        requested=_text(row["requested"]),
        model_name=_text(row["model_name"]) or "",
        spec=json_or(row["spec"], {}),
        context=json_or(row["context"], {}),
        priority=_number(row["priority"]),
        created_at=_text(row["created_at"]) or "",
        started_at=_text(row["started_at"]),
        finished_at=_text(row["finished_at"]),
        attempt=_number(row["attempt"]),
        progress=json_or(row["progress"], {}),
        metrics=json_or(row["metrics"], {}),
        result=json_or(row["result"], {}) if row["result"] else None,
        error=damage("this job"),
    )


def _text(value: Any) -> str | None:
    """A text that can be shown, of whatever a damaged column holds."""
    return None if value is None else str(value).encode(errors="replace").decode()


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
