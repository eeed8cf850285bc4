"""A job: a frozen value with a closed set of states."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, Status.CANCELLED, Status.FAILED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.PAUSED, Status.QUEUED}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED, Status.FAILED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
FINAL = frozenset(status for status, onward in MOVES.items() if not onward)


@dataclass(frozen=True)
class Job:
    """A job as the journal has it. `context` is what the work needs to know and a client does not."""

    id: str
    status: Status
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    context: dict[str, Any]
    priority: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    progress: dict[str, Any]
    metrics: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None

    @property
    def final(self) -> bool:
        """Whether the job has ended for good."""
        return self.status in FINAL


@dataclass(frozen=True)
class Event:
    """Something that happened to a job. `id` rises from 1 for each job; `type` is status, metrics or message."""

    id: int
    type: str
    created_at: str
    data: dict[str, Any]


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt at a job: `status` is what the job became when it ended, `cause` why, if it was no success."""

    number: int
    started_at: str
    ended_at: str | None
    status: Status | None
    cause: dict[str, Any] | None
