"""Idempotency keys: which request created which job, kept for a day."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from service.jobs.errors import IdempotencyDamaged, IdempotencyMismatch
from service.jobs.rows import time_text
from service.jobs.seals import broken, sealed
from service.jobs.tables import idempotency_keys as keys

KEPT = timedelta(hours=24)


def recall(connection: Connection, key: str, digest: str, now: datetime) -> str | None:
    """The id of the job that was created with the key, if any.

    Raises:
        IdempotencyMismatch: the key was used with another digest.
        IdempotencyDamaged: the key's row is damaged.
    """
    row = connection.execute(select(keys).where(keys.c.key == key)).mappings().one_or_none()
    if row is None or str(row["created_at"]) < time_text(now - KEPT):
        return None
    if broken("idempotency_keys", row):
        raise IdempotencyDamaged
    if row["digest"] != digest:
        raise IdempotencyMismatch
    job_id: str = row["job_id"]
    return job_id


def remember(connection: Connection, key: str, digest: str, job_id: str, now: datetime) -> None:
    """Stores which job was created with the key, in place of an expired one.

    Raises:
        IntegrityError: another transaction has just stored one.
    """
    # Only an expired one: what another transaction has just stored must stay.
    connection.execute(delete(keys).where(keys.c.key == key, keys.c.created_at < time_text(now - KEPT)))
    values = {"key": key, "digest": digest, "job_id": job_id, "created_at": time_text(now)}
    connection.execute(insert(keys).values(sealed("idempotency_keys", values)))
