"""Idempotency keys: which request made which job, remembered for a day."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from service.jobs.errors import IdempotencyDamaged, IdempotencyMismatch
from service.jobs.rows import time_text
from service.jobs.seals import broken, sealed
from service.jobs.tables import idempotency_keys as keys

KEPT = timedelta(hours=24)


def recall(connection: Connection, key: str, digest: str, now: datetime) -> str | None:
    """The id of the job that the key made, if any.

    Raises:
        IdempotencyMismatch: the key came with another digest.
        IdempotencyDamaged: nobody can tell any more what it made.
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
    """Notes which job the key has made, in place of what it made long ago.

    Raises:
        IntegrityError: another transaction has just noted one.
    """
    # Only an old one: what another has noted since this transaction's look must stay.
    connection.execute(delete(keys).where(keys.c.key == key, keys.c.created_at < time_text(now - KEPT)))
    values = {"key": key, "digest": digest, "job_id": job_id, "created_at": time_text(now)}
    connection.execute(insert(keys).values(sealed("idempotency_keys", values)))
