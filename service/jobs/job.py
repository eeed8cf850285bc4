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
    Status.FAILED: frozenset({Status.QUEUED}),  # resumed, where what it failed for lay outside of it
    Status.CANCELLED: frozenset(),
}
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})  # nothing more comes of itself
RESUMABLE = frozenset({"no_space", "unavailable"})  # what a job has failed for that can be resumed

DAMAGED = "journal_damaged"  # the code of the error of whatever was read from a damaged row


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
    suspect: bool = False  # whether trainer servers end again and again while it runs: it runs alone
    fenced: int = 0  # its last attempts, in a row, that saved nothing before their service had to end them

    @property
    def damaged(self) -> bool:
        """Whether the journal's row of it is not what was written."""
        return self.error is not None and self.error.get("code") == DAMAGED

    @property
    def resumable(self) -> bool:
        """Whether it has failed for a reason outside of it; its checkpoint is kept for a while."""
        return self.status is Status.FAILED and self.error is not None and self.error.get("code") in RESUMABLE

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
