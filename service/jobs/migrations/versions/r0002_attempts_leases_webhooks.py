"""Attempts and their causes, leases, back-off, thinned metrics, deliveries of webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what recovery, pausing and webhooks need to know."""
    op.add_column("jobs", sa.Column("not_before", sa.String(32)))
    op.add_column("jobs", sa.Column("saved_epoch", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("stride", sa.Integer, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("points", sa.Integer, nullable=False, server_default="0"))
    op.create_index("jobs_newest", "jobs", ["status", "seq"])
    op.create_table(
        "attempts",
        sa.Column("job_seq", sa.Integer, sa.ForeignKey("jobs.seq"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("status", sa.String(16)),
        sa.Column("cause", sa.Text),
    )
    op.create_table(
        "owners",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("beat", sa.Integer, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("job_seq", sa.Integer, sa.ForeignKey("jobs.seq"), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.String(32)),
        sa.Column("outcome", sa.Text),
    )
    op.create_index("deliveries_due", "deliveries", ["next_at"])
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"])
