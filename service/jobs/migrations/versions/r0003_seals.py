"""Seals of jobs, and what is counted so that a passing failure is not taken for a final one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns. Jobs that are there already stay without a seal."""
    op.add_column("jobs", sa.Column("seal", sa.String(64)))
    for name in ("fenced", "put_off", "server_deaths"):
        op.add_column("jobs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
