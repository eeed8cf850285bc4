"""The journal's tables. A change here is a new revision under `migrations/versions/`."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

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
    Column("crashes", Integer, nullable=False),  # attempts in a row that ended without saying how, and got no further
    Column("progress", Text, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("owner", String(64)),  # the service that runs it
    Column("publishing", Integer, nullable=False),  # 1 once an attempt may have published: it cannot be cancelled then
    Column("last_event", Integer, nullable=False),
    Column("not_before", String(32)),  # no attempt begins earlier: the back-off after a crash
    Column("saved_epoch", Integer, nullable=False, server_default="0"),  # the epoch of its newest checkpoint
    Column("stride", Integer, nullable=False, server_default="1"),  # of its epochs, each so-many-th stays in `metrics`
    Column("points", Integer, nullable=False, server_default="0"),  # how many epochs `metrics` has of it
    Column("seal", String(64)),  # see `seals.py`
    Column("fenced", Integer, nullable=False, server_default="0"),  # fenced attempts in a row that saved nothing
    Column("put_off", Integer, nullable=False, server_default="0"),  # seconds, in a row, for failures that pass
    Column("server_deaths", Integer, nullable=False, server_default="0"),  # of trainer servers that ran it
    Column("ends", Integer, nullable=False, server_default="0"),  # how often it has ended: more than once when resumed
    Column("state_seal", String(64)),
    Index("jobs_by_status", "status", "priority", "seq"),
    Index("jobs_newest", "status", "seq"),
    Index("jobs_by_model_name", "model_name", "seq"),
    Index("jobs_by_model_and_status", "model_name", "status", "seq"),
    Index("jobs_by_end", "status", "finished_at"),
    sqlite_autoincrement=True,
)

records = Table(
    "records",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("records", Text, nullable=False),  # the spec has their digest in their place
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32)),
    Column("status", String(16)),  # what the job became when it ended
    Column("cause", Text),  # {"code", "detail"} of an end that was no success
    Column("seal", String(64)),
)

events = Table(
    "events",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("type", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Column("seal", String(64)),
)

metrics = Table(
    "metrics",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("first_epoch", Integer, primary_key=True),
    Column("series", Text, nullable=False),  # {"epoch": […], "train_loss": […], …} of the epochs of one report
    Column("seal", String(64)),
)

owners = Table(
    "owners",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("beat", Integer, nullable=False),  # rises while the service lives and runs something
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("job_seq", ForeignKey("jobs.seq"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", String(32)),  # of the next try; null once it was delivered or given up
    Column("outcome", Text),  # how the last try went
    Column("end", Integer, nullable=False, server_default="1"),  # which of the job's ends it reports
    Column("seal", String(64)),
    Index("deliveries_due", "next_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("seal", String(64)),
    Index("idempotency_keys_by_age", "created_at"),
    Index("idempotency_keys_by_job", "job_id"),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("requested", String(16)),  # what has not reached its trials yet: cancel, pause or resume
    Column("model_name", String(64), nullable=False),
    Column("spec", Text, nullable=False),  # of its trials, before their settings are put in
    Column("records", Text),  # of the spec, as in the table `records`
    Column("settings", Text, nullable=False),  # what is searched, and how
    Column("created_at", String(32), nullable=False),
    Column("deadline", String(32)),  # after which no trial goes on; null without one, and while it is paused
    Column("seconds_left", Float),  # to the deadline, when it was paused
    Column("finished_at", String(32)),
    Column("best", Integer),  # the number of a trial
    Column("winner_job", String(64)),  # that trains the best settings again, for the version
    Column("result", Text),
    Column("error", Text),
    Column("seal", String(64)),
    Index("sweeps_by_status", "status", "seq"),
    sqlite_autoincrement=True,
)

trials = Table(
    "trials",
    metadata,
    Column("sweep_seq", ForeignKey("sweeps.seq"), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1
    Column("job_id", String(64)),  # null if its settings make no training
    Column("settings", Text, nullable=False),
    Column("status", String(16)),  # at its end; null before
    Column("objective", Float),
    Column("result", Text),
    Column("error", Text),
    Column("seal", String(64)),
    Index("trials_by_job", "job_id"),
)
