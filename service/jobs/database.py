"""The journal's database: opened with what durability asks for, and brought to the newest schema."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from service.jobs.errors import JournalTooNew

HEAD = "0002"
MIGRATIONS = Path(__file__).parent / "migrations"
MOST_SECONDS_LOCKED = 10.0  # how long anybody waits for another's transaction


def open_database(url: str) -> Engine:
    """The engine, its schema up to date.

    Raises:
        JournalTooNew: a newer version of the software has written it.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Runs the revisions that are missing, in one transaction that other starting processes wait for."""
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    from alembic import command  # only a first start, or one after an update, needs it
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        revision = _revision(connection)
        if revision is not None and revision not in known:
            raise JournalTooNew
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _configure_sqlite(connection: Any, record: object) -> None:
    # FULL: in WAL mode NORMAL may lose a committed transaction when the power goes.
    connection.isolation_level = None  # we say BEGIN ourselves, below
    connection.execute(f"PRAGMA busy_timeout={MOST_SECONDS_LOCKED * 1000:.0f}")
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    # Where several open a new file at once, SQLite turns all but one away here without waiting for busy_timeout.
    deadline = time.monotonic() + MOST_SECONDS_LOCKED
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: one that upgrades later could not wait for it.
    writes = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
