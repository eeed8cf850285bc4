"""Seals in every row that matters, existing ones included; and how often a job has ended."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.jobs.job import FINAL
from service.jobs.seals import seal_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AT_ONCE = 500
NUMBERED = {"attempts": "number", "events": "number", "metrics": "first_epoch"}  # by what, besides their job


def upgrade() -> None:
    """Adds columns, and seals the existing rows as they are: damage of before cannot be detected. It is one transaction, so
    that a migration that was killed starts again."""
    for name in ("attempts", "events", "metrics", "deliveries", "idempotency_keys"):
        op.add_column(name, sa.Column("seal", sa.String(64)))
    op.add_column("deliveries", sa.Column("end", sa.Integer, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("ends", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("state_seal", sa.String(64)))
    op.create_index("jobs_by_model_and_status", "jobs", ["model_name", "status", "seq"])
    # For the removal of old rows.
    op.create_index("jobs_by_end", "jobs", ["status", "finished_at"])
    op.create_index("idempotency_keys_by_job", "idempotency_keys", ["job_id"])
    connection = op.get_bind()
    ended = ", ".join(f"'{status}'" for status in sorted(FINAL))
    connection.execute(sa.text(f"UPDATE jobs SET ends = 1 WHERE status IN ({ended})"))  # noqa: S608 - our own words
    _seal_jobs(connection)
    for name, number in NUMBERED.items():
        _seal_rows_of_jobs(connection, name, number)
    _seal_rows_of_jobs(connection, "deliveries", None)
    _seal_keys(connection)


def _seal_jobs(connection: sa.Connection) -> None:
    for rows in _chunks(connection, "SELECT *, seq AS at1 FROM jobs WHERE seq > :at1 ORDER BY seq", {"at1": 0}):
        seals = [
            {"own": row["seal"] or seal_of("jobs", row), "state": seal_of("job states", row), "of": row["seq"]}
            for row in rows
        ]
        connection.execute(sa.text("UPDATE jobs SET seal = :own, state_seal = :state WHERE seq = :of"), seals)


def _seal_rows_of_jobs(connection: sa.Connection, name: str, number: str | None) -> None:
    place = "job_seq" if number is None else f"job_seq, {number}"
    after, second = ("job_seq > :at1", "0") if number is None else (f"({place}) > (:at1, :at2)", number)
    query = (
        f"SELECT r.*, jobs.id AS whose, job_seq AS at1, {second} AS at2 FROM {name} AS r "  # noqa: S608 - our own words
        f"JOIN jobs ON jobs.seq = job_seq WHERE {after} ORDER BY {place}"
    )
    this = "job_seq = :at1" if number is None else f"job_seq = :at1 AND {number} = :at2"
    for rows in _chunks(connection, query, {"at1": 0, "at2": -1}):
        seals = [{"own": seal_of(name, row, row["whose"]), "at1": row["at1"], "at2": row["at2"]} for row in rows]
        connection.execute(sa.text(f"UPDATE {name} SET seal = :own WHERE {this}"), seals)  # noqa: S608


def _seal_keys(connection: sa.Connection) -> None:
    query = "SELECT *, key AS at1 FROM idempotency_keys WHERE key > :at1 ORDER BY key"
    for rows in _chunks(connection, query, {"at1": ""}):
        seals = [{"own": seal_of("idempotency_keys", row), "of": row["key"]} for row in rows]
        connection.execute(sa.text("UPDATE idempotency_keys SET seal = :own WHERE key = :of"), seals)


def _chunks(connection: sa.Connection, query: str, place: dict[str, Any]) -> Iterator[list[Any]]:
    """The rows of a query in chunks, each from after the last row of the chunk before."""
    while rows := connection.execute(sa.text(f"{query} LIMIT {AT_ONCE}"), place).mappings().all():
        yield list(rows)
        place = {name: rows[-1][name] for name in place}
