"""A job: a frozen value with a closed set of states."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The status of a job."""

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
    Status.FAILED: frozenset({Status.QUEUED}),  # resumed after a failure outside of it
    Status.CANCELLED: frozenset(),
}
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})  # it changes only if it is resumed
RESUMABLE = frozenset({"no_space", "unavailable"})  # codes of errors after which a job can be resumed
DAMAGED = "journal_damaged"  # the code of the error of what was read from a damaged row


@dataclass(frozen=True)
class Job:
    """A job as the journal has it. `context` is what the work needs besides the spec, and clients do not see."""

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
    suspect: bool = False  # whether trainer servers have ended again and again while it ran: it runs alone
    fenced: int = 0  # its last attempts in a row that were fenced before they saved a checkpoint

    @property
    def damaged(self) -> bool:
        """Whether its row in the journal is damaged."""
        return self.error is not None and self.error.get("code") == DAMAGED

    @property
    def resumable(self) -> bool:
        """Whether it has failed for a reason outside of it; then its checkpoint is kept for a while."""
        return self.status is Status.FAILED and self.error is not None and self.error.get("code") in RESUMABLE

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
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
