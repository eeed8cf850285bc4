"""Training jobs as the API shows them, to clients and to receivers of webhooks. Imports neither torch nor FastAPI."""

from typing import Any, cast

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.jobs import job as jobs
from service.jobs.records import has_digest, outline


@closed
class OfSweep(TypedDict):
    """The sweep that a job is a trial of, and the trial's number; the `winner` trains its settings again for the version.
    `vectorized` are the numbers of the trials that it trains together; of one that trains a single trial there are none."""

    id: str
    number: int
    winner: bool
    vectorized: list[int]


@closed
class Job(TypedDict):
    """A training job. `spec` is the resolved one: every default filled in. `sweep` is that which it is a trial of; such a job's
    `result` has a `version` only if it has published one."""

    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    progress: dict[str, Any]
    metrics: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    sweep: OfSweep | None


@closed
class Attempt(TypedDict):
    """One attempt at a job. `status` is the job's status when it ended; `cause` is the reason, unless it succeeded."""

    attempt: int
    started_at: str
    ended_at: str | None
    status: str | None
    cause: dict[str, Any] | None


@closed
class Attempts(TypedDict):
    """The attempts at a job, oldest first."""

    data: list[Attempt]


@closed
class Event(TypedDict):
    """Something that happened to a job: `type` is status, metrics or message."""

    id: int
    type: str
    created_at: str
    data: dict[str, Any]


@closed
class Plan(TypedDict):
    """A resolved spec, and its sizes."""

    spec: dict[str, Any]
    parameters: int
    rows: dict[str, int]
    warnings: list[str]


def job_document(job: jobs.Job) -> Job:
    """The job with the fields of the schema; without the records of its spec if they were not read."""
    fields = {name: getattr(job, name) for name in Job.__annotations__ if name != "sweep"}
    sweep = job.context.get("sweep")
    fields["sweep"] = None if sweep is None else {"vectorized": [], **sweep}
    return cast(Job, fields | {"spec": outline(job.spec)} if has_digest(job) else fields)


def attempt_document(attempt: jobs.AttemptRecord) -> Attempt:
    """The attempt with the fields of the schema."""
    return {
        "attempt": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "status": attempt.status,
        "cause": attempt.cause,
    }


def event_document(event: jobs.Event) -> Event:
    """The event with the fields of the schema."""
    return {"id": event.id, "type": event.type, "created_at": event.created_at, "data": event.data}
