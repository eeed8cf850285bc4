"""A table for the records of specs. Those of jobs that are there already stay in their specs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "records",
        sa.Column("job_seq", sa.Integer, sa.ForeignKey("jobs.seq"), primary_key=True),
        sa.Column("records", sa.Text, nullable=False),
    )
