"""Values from the journal's rows, and the text that its columns keep. Of a damaged row whatever can be read is returned,
with an error that says that it is damaged."""

from datetime import UTC, datetime
from typing import Any

import orjson

from service.jobs.job import DAMAGED, FINAL, AttemptRecord, Event, Job, Status
from service.jobs.seals import Row, broken, job_broken

SUSPECT = 2  # trainer servers that ended while a job ran, after which it runs alone
SHOWN_AS_IT_IS = FINAL | {Status.RUNNING}


def job_of(row: Row) -> Job:
    """The job of a row of `jobs`. Of a damaged row, whatever can still be read."""
    is_damaged = damaged(row)
    return Job(
        id=_text(row["id"]) or "",
        status=status_of(row) if is_damaged else Status(row["status"]),
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
        error=damage("this job") if is_damaged else json_or(row["error"], {}) if row["error"] else None,
        suspect=not is_damaged and row["server_deaths"] >= SUSPECT,
        fenced=0 if is_damaged else row["fenced"],
    )


def damaged(row: Row) -> bool:
    """Whether a row of `jobs` is not what was written: its seals do not fit, or its values cannot be read."""
    if job_broken(row):
        return True
    try:
        "".join(row[name] or "" for name in ("id", "model_name", "created_at", "started_at", "finished_at")).encode()
        Status(row["status"])
        objects = [row["spec"], row["context"], row["result"] or "{}", row["error"] or "{}"]
        if not all(isinstance(orjson.loads(each), dict) for each in objects):
            return True
    except (ValueError, TypeError):  # neither UTF-8 nor JSON
        return True
    return not (isinstance(row["attempt"], int) and isinstance(row["priority"], int))


def status_of(row: Row) -> Status:
    """The status to show for a row of `jobs`, whatever it holds: a damaged job that waits is shown as failed."""
    known = next((each for each in Status if each == row["status"]), None)
    return Status.FAILED if known is None else shown_status(known) if damaged(row) else known


def shown_status(status: Status) -> Status:
    """The status to show for a damaged job."""
    return status if status in SHOWN_AS_IT_IS else Status.FAILED


def event_of(row: Row, job_id: str) -> Event:
    """The event of a row of `events`."""
    damaged_data = {"error": damage("this event")}
    data = damaged_data if broken("events", row, job_id) else json_or(row["data"], damaged_data)
    return Event(row["number"], _text(row["type"]) or "", _text(row["created_at"]) or "", data)


def attempt_of(row: Row, job_id: str) -> AttemptRecord:
    """The attempt of a row of `attempts`."""
    cause = json_or(row["cause"], damage("this attempt")) if row["cause"] else None
    return AttemptRecord(
        number=row["number"],
        started_at=_text(row["started_at"]) or "",
        ended_at=_text(row["ended_at"]),
        status=next((each for each in Status if each == row["status"]), None),
        cause=damage("this attempt") if broken("attempts", row, job_id) else cause,
    )


def damage(what: str) -> dict[str, Any]:
    """The error of something damaged."""
    return {
        "code": DAMAGED,
        "detail": f"the journal's row of {what} is damaged; see the service's log and your backups",
    }


def json_text(value: object) -> str:
    """A value as JSON."""
    return orjson.dumps(value).decode()


def json_or(text: Any, otherwise: dict[str, Any]) -> dict[str, Any]:
    """The object in a column of JSON; `otherwise` if it is damaged."""
    try:
        value = orjson.loads(text)
    except (ValueError, TypeError):
        return otherwise
    return value if isinstance(value, dict) else otherwise


def time_text(time: datetime) -> str:
    """A time in RFC 3339, so that the text sorts as the times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(value: Any) -> str | None:
    """Text that can be encoded, of whatever the column holds."""
    return None if value is None else str(value).encode(errors="replace").decode()


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
