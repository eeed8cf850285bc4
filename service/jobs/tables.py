"""The journal's tables. A change here is a new revision under `migrations/versions/`."""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("requested", String(16)),
    Column("model_name", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),  # attempts that ended without saying how
    Column("progress", Text, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("owner", String(64)),  # the service that runs it
    Column(
        "publishing", Integer, nullable=False
    ),  # 1 once the attempt may publish: from then on it cannot be cancelled
    Column("last_event", Integer, nullable=False),
    Index("jobs_by_status", "status", "priority", "seq"),
    Index("jobs_by_model_name", "model_name", "seq"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("type", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("data", Text, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("first_epoch", Integer, primary_key=True),
    Column("series", Text, nullable=False),  # {"epoch": […], "train_loss": […], …} of the epochs of one report
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
)
