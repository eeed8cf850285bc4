"""Seals: each row of the journal has a digest of its kind, its job and its values, which is renewed with every change. A row
whose seal does not fit is damaged, and stays so. A job has two seals: of what it is and has come to, which may be long, and
of its state, which changes many times a second."""

import hashlib
from collections.abc import Mapping
from typing import Any

Row = Mapping[Any, Any]

JOB = ("id", "model_name", "spec", "context", "priority", "created_at", "status", "attempt", "result", "error")
STATE = (
    *("id", "requested", "started_at", "finished_at", "progress", "metrics", "owner", "publishing", "last_event"),
    *("not_before", "saved_epoch", "stride", "points", "crashes", "fenced", "put_off", "server_deaths", "ends"),
)
SEALED = {
    "jobs": JOB,
    "job states": STATE,
    "attempts": ("number", "owner", "started_at", "ended_at", "status", "cause"),
    "events": ("number", "type", "created_at", "data"),
    "metrics": ("first_epoch", "series"),
    "deliveries": ("url", "tries", "next_at", "outcome", "end"),
    "idempotency_keys": ("key", "digest", "job_id", "created_at"),
    "sweeps": (
        *("id", "status", "requested", "model_name", "spec", "settings", "created_at", "deadline"),
        *("seconds_left", "finished_at", "best", "winner_job", "result", "error"),
    ),
    "trials": ("number", "job_id", "settings", "status", "objective", "result", "error"),
}
SEALS_OF_JOBS = {"jobs": "seal", "job states": "state_seal"}


def seal_of(kind: str, row: Row, job_id: str = "") -> str:
    """The seal that fits a row, which may belong to a job. It covers the lengths of the values, so that nothing can move from
    one column to the next."""
    digest = hashlib.sha256(kind.encode())
    if job_id:
        _add(digest, "job", job_id)
    for name in SEALED[kind]:
        _add(digest, name, row.get(name))
    return digest.hexdigest()


def sealed(kind: str, row: dict[str, Any], job_id: str = "") -> dict[str, Any]:
    """The row with its seal."""
    return row | {"seal": seal_of(kind, row, job_id)}


def broken(kind: str, row: Row, job_id: str = "") -> bool:
    """Whether the row's seal does not fit."""
    return bool(row["seal"] != seal_of(kind, row, job_id))


def resealed(row: Row, values: dict[str, Any]) -> dict[str, Any]:
    """The seals of a job that these new values change, except one that did not fit before."""
    fresh = {**row, **values}
    return {
        column: seal_of(kind, fresh)
        for kind, column in SEALS_OF_JOBS.items()
        if not values.keys().isdisjoint(SEALED[kind]) and row[column] == seal_of(kind, row)
    }


def job_broken(row: Row) -> bool:
    """Whether one of the seals of a row of `jobs` does not fit."""
    return row["seal"] != seal_of("jobs", row) or state_broken(row)


def state_broken(row: Row) -> bool:
    """Whether the seal of a job's state does not fit."""
    return bool(row["state_seal"] != seal_of("job states", row))


def _add(digest: "hashlib._Hash", name: str, value: object) -> None:
    text = b"" if value is None else str(value).encode(errors="surrogateescape")
    digest.update(b"\n%s %d " % (name.encode(), -1 if value is None else len(text)))
    digest.update(text)
