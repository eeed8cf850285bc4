"""The journal's database, SQLite or PostgreSQL: opened with durable settings, migrated to the newest schema; and what its
errors mean."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from service.jobs import tables
from service.jobs.errors import InvalidDatabaseUrl, JournalLost, JournalNotOpened, JournalTooNew, PostgresNotInstalled

HEAD = "0006"
MIGRATIONS = Path(__file__).parent / "migrations"
MOST_SECONDS_LOCKED = 10.0  # that a transaction waits for another

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",  # as some hosting services write it
}
START_SECONDS = 15.0  # that a server may take to answer when both start at once
BETWEEN_TRIES = 0.25
# Messages of PostgreSQL for which waiting is of no use: while connecting, errors come without their codes. In another language
# they are waited for like all others.
PERMANENT = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist")

# For libpq; the URL may override them. Without them a connection whose other end is gone is noticed after hours.
CONNECTION = {
    "application_name": "modelwright",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms
}
# For the server, set after connecting: a pooler in between (PgBouncer) refuses them as options of the connection.
SESSION = {
    "synchronous_commit": "on",  # whatever the server's default
    "lock_timeout": "10s",  # SQLite's busy_timeout
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # releases the locks of a service that hangs
}
MIGRATION_LOCK = 0x4D57_4A4F_5552  # "MWJOUR"

# SQLite's primary result codes that mean "not now". SQLITE_ERROR, a wrong statement, is not among them.
SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,  # also when the disk cannot read a page
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
SQLITE_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB}
POSTGRES_DAMAGE = ("XX", "58")
# PostgreSQL's SQLSTATE codes, or their first letters.
POSTGRES_FULL = "53100"
POSTGRES_UNAVAILABLE = (
    "08",  # the connection
    "25006",  # read-only: a standby, before or after a fail-over
    "25P03",  # idle in a transaction for too long
    "25P04",  # a transaction that took too long
    "40",  # rolled back by the server: deadlock, serialization
    "53",  # disk, memory or connections used up
    "55P03",  # lock_timeout
    "57",  # shut down, starting up, statement_timeout
    "58",  # its own disk
)

log = logging.getLogger(__name__)


def open_database(url: str, *, known: bool = False, start_seconds: float = START_SECONDS) -> Engine:
    """Connects to the database and migrates its schema. Waits for a PostgreSQL server that does not answer yet.

    Args:
        url: the database's URL.
        known: whether there was a journal before: then an empty database is an error.
        start_seconds: for which a PostgreSQL server is waited for.

    Raises:
        JournalLost: it is known, and empty.
        InvalidDatabaseUrl: this is no URL of a database that a journal can be on.
        JournalTooNew: a newer version of the software has written it.
        PostgresNotInstalled: there is no driver for it.
        JournalNotOpened: it cannot be reached or written.
    """
    engine = connect_database(url, known=known, start_seconds=start_seconds)
    with _disposed_on_error(engine):
        migrate(engine)
    return engine


def connect_database(url: str, *, known: bool = False, start_seconds: float = START_SECONDS) -> Engine:
    """As `open_database`, but leaves the schema as it is."""
    address = _address(url)
    local = address.drivername == "sqlite"
    if known and local and address.database and not Path(address.database).exists():
        raise JournalLost  # connecting would create the file
    engine = _sqlite(address) if local else _postgres(address)
    with _disposed_on_error(engine):
        if not local:
            _wait_for(engine, start_seconds)
        if known:
            with engine.connect() as connection:
                if _revision(connection) is None:
                    raise JournalLost
    return engine


def has_journal(url: str) -> bool:
    """Whether there is a journal in this database. Raises JournalNotOpened where it cannot be reached."""
    try:
        connect_database(url, known=True).dispose()
    except JournalLost:
        return False
    return True


def copy_sqlite(source: Path, target: Path) -> None:
    """Copies a journal in a file, as it is at one moment, by SQLite's online backup, which holds up no writer.

    Raises:
        JournalNotOpened: it could not be read or written.
    """
    try:
        with closing(sqlite3.connect(source)) as journal, closing(sqlite3.connect(target)) as copy:
            journal.backup(copy)
    except sqlite3.Error as error:
        raise JournalNotOpened(f"The journal {source} cannot be copied: {error}") from error


def is_up_to_date(connection: Connection) -> bool:
    """Whether the schema is that of this version of the software."""
    return _revision(connection) == HEAD


def migrate(engine: Engine) -> None:
    """Runs the revisions that are missing, in one transaction that other starting processes wait for."""
    with engine.connect() as connection:
        if is_up_to_date(connection):
            _check_schema(connection)
            return
    from alembic import command  # imported only for a first start or after an update
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Migrating a large journal, or waiting for another service that does, may take long.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = '10min'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        revision = _revision(connection)
        if revision is not None and revision not in known:
            raise JournalTooNew
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_full(error: DBAPIError) -> bool:
    """Whether the database has no space left."""
    return _sqlite_code(error) == sqlite3.SQLITE_FULL or _sqlstate(error) == POSTGRES_FULL


def is_damage(error: DBAPIError) -> bool:
    """Whether the database could not read its own data."""
    state = _sqlstate(error)
    return _sqlite_code(error) in SQLITE_DAMAGE or (state is not None and state.startswith(POSTGRES_DAMAGE))


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the same call may succeed later: locked, full, disconnected, shut down or starting. Otherwise it is a bug."""
    if error.connection_invalidated:
        return True
    if (code := _sqlite_code(error)) is not None:
        return code in SQLITE_UNAVAILABLE
    if (state := _sqlstate(error)) is not None:
        return state.startswith(POSTGRES_UNAVAILABLE)
    return isinstance(error, OperationalError)  # without a code: the connection failed


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidDatabaseUrl from None  # the cause may quote a part of the password
    # An @ in a password would make its end a part of the host, and be shown.
    if address.drivername not in DRIVERS or "@" in (address.host or ""):
        raise InvalidDatabaseUrl
    return address.set(drivername=DRIVERS[address.drivername])


def _sqlite(address: URL) -> Engine:
    engine = create_engine(address, hide_parameters=True)  # errors are logged, and specs must not be
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(address: URL) -> Engine:
    reach = {name: value for name, value in CONNECTION.items() if name not in address.query}
    try:
        engine = create_engine(
            address,
            connect_args=reach,
            hide_parameters=True,
            isolation_level="READ COMMITTED",  # for which the journal's locks are made, whatever the server's default
            pool_pre_ping=True,  # notices a restarted server before a transaction, not within
            pool_size=5,
            max_overflow=10,
            pool_timeout=10,
        )
    except ImportError:
        raise PostgresNotInstalled from None
    event.listen(engine, "connect", _configure_postgres)
    return engine


def _wait_for(engine: Engine, seconds: float) -> None:
    """Returns when the server answers: it may have been started together with the service."""
    deadline = time.monotonic() + seconds
    logged = False
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if any(each in str(error.orig) for each in PERMANENT) or time.monotonic() > deadline:
                raise
            if not logged:
                log.info("waiting for the journal %s: %s", _shown(engine.url), _reason(error))
                logged = True
            time.sleep(BETWEEN_TRIES)
        else:
            return


def _check_schema(connection: Connection) -> None:
    """Selects every column once, so that a damaged schema is found at the start."""
    for table in tables.metadata.sorted_tables:
        connection.execute(select(table).limit(0))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        engine.dispose()
        if not isinstance(error, DBAPIError):
            raise
        raise JournalNotOpened(f"The journal {_shown(engine.url)} cannot be opened: {_reason(error)}") from error


def _shown(address: URL) -> str:
    """A URL to be shown: without user, password and options."""
    return URL.create(
        address.get_backend_name(), host=address.host, port=address.port, database=address.database
    ).render_as_string()


def _reason(error: DBAPIError) -> str:
    """The driver's message, on one line. Neither driver puts a password into it."""
    return " ".join(str(error.orig).split())


def _sqlite_code(error: DBAPIError) -> int | None:
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # without the extended part


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _configure_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # BEGIN is sent below
    # Damaged text must not raise when it is read together with other rows.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    connection.execute(f"PRAGMA busy_timeout={MOST_SECONDS_LOCKED * 1000:.0f}")
    try:
        _write_ahead(connection)
    except UnicodeDecodeError as error:  # in SQLite's message, which quotes a damaged name
        raise sqlite3.OperationalError("malformed database schema") from error
    # FULL: with NORMAL, WAL mode may lose a committed transaction when the power fails.
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    # When several processes open a new file at once, SQLite refuses all but one without waiting for busy_timeout.
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
    # A transaction that will write locks at once: one that upgrades its lock later could not wait for it.
    writes = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _configure_postgres(connection: Any, record: object) -> None:
    connection.execute("; ".join(f"SET SESSION {name} = '{value}'" for name, value in SESSION.items()))
    connection.commit()  # a rollback would undo them
