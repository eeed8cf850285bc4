"""Sweeps, and their trials."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables."""
    op.create_table(
        "sweeps",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("requested", sa.String(16)),
        sa.Column("model_name", sa.String(64), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("records", sa.Text),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("deadline", sa.String(32)),
        sa.Column("seconds_left", sa.Float),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("best", sa.Integer),
        sa.Column("winner_job", sa.String(64)),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("seal", sa.String(64)),
        sqlite_autoincrement=True,
    )
    op.create_index("sweeps_by_status", "sweeps", ["status", "seq"])
    op.create_table(
        "trials",
        sa.Column("sweep_seq", sa.Integer, sa.ForeignKey("sweeps.seq"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.String(64)),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("status", sa.String(16)),
        sa.Column("objective", sa.Float),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("seal", sa.String(64)),
    )
    op.create_index("trials_by_job", "trials", ["job_id"])
