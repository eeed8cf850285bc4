import os
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from service.jobs import database, tables
from service.jobs.database import HEAD, has_journal, is_full, is_unavailable, open_database
from service.jobs.errors import InvalidDatabaseUrl, JournalLost, JournalNotOpened, JournalTooNew

if TYPE_CHECKING:
    from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
OPEN = "import sys; from service.jobs.database import open_database; sys.stdin.read(1); open_database(sys.argv[1])"


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that was never opened."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'journal.sqlite'}"
    else:
        with request.getfixturevalue("postgres").database(migrated=False) as url:
            yield url


@contextmanager
def plain(url: str) -> Iterator[Engine]:
    """An engine without the settings of `open_database`."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def error_of(engine: Engine, *statements: str) -> DBAPIError:
    """The error that the last statement raises."""
    with engine.connect() as connection:
        for each in statements[:-1]:
            connection.execute(text(each))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text(statements[-1]))
    return caught.value


# Schema


def test_an_emptied_database_is_reported_as_lost(empty: str) -> None:
    assert not has_journal(empty)
    for _ in range(2):
        with pytest.raises(JournalLost, match="accept-loss"):
            open_database(empty, known=True)
    open_database(empty).dispose()
    assert has_journal(empty)
    open_database(empty, known=True).dispose()


def test_the_migrations_create_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == HEAD


def test_a_journal_of_a_newer_version_is_refused_unchanged(empty: str) -> None:
    with plain(empty) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    with pytest.raises(JournalTooNew, match="newer version"):
        open_database(empty)
    with plain(empty) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]
        assert not engine.dialect.has_table(connection, "jobs")


def test_processes_can_start_concurrently(empty: str) -> None:
    command = [sys.executable, "-c", OPEN, empty]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) for _ in range(6)]  # noqa: S603 - our own code
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()  # start signal, after all processes have started
    assert [process.wait(120) for process in processes] == [0] * 6
    open_database(empty).dispose()


def test_a_start_waits_for_another_one_that_has_just_created_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(
        "BEGIN IMMEDIATE"
    )  # the journal mode of a new file; the pragma that changes it cannot wait for a lock
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_database, f"sqlite:///{path}")
        with pytest.raises(TimeoutError):
            opening.result(0.2)
        other.execute("COMMIT")
        other.close()
        opening.result(60).dispose()


# Settings of connections


def test_commits_are_synchronous(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_postgres_session_is_durable_and_has_timeouts(postgres: "Postgres") -> None:
    with postgres.database() as url:
        with plain(url) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = engine.url.database
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
        engine = open_database(url)
        for _ in range(2):  # a rollback does not undo autocommitted statements
            with engine.connect() as connection:
                assert {name: connection.execute(text(f"SHOW {name}")).scalar() for name in database.SESSION} == {
                    "synchronous_commit": "on",
                    "lock_timeout": "10s",
                    "statement_timeout": "1min",
                    "idle_in_transaction_session_timeout": "1min",
                }
                assert connection.execute(text("SHOW transaction_isolation")).scalar() == "read committed"
                assert connection.execute(text("SHOW application_name")).scalar() == "modelwright"
        engine.dispose()


def test_a_url_may_have_parameters(postgres: "Postgres") -> None:
    with postgres.database() as url:
        engine = open_database(f"{url}&application_name=mine".replace("postgresql:", "postgres:"))
        with engine.connect() as connection:
            assert connection.execute(text("SHOW application_name")).scalar() == "mine"
        engine.dispose()


def test_connections_that_the_server_has_closed_are_replaced(postgres_engine: Engine) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    close = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"  # noqa: S608 - our own
    with postgres_engine.connect(), postgres_engine.connect(), postgres_engine.connect():
        pass
    with postgres_engine.connect() as connection:
        assert connection.execute(text(close)).scalars().all() == [True, True]
    for _ in range(3):
        with postgres_engine.connect(), postgres_engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1


# Connection failures


@pytest.mark.parametrize(
    "url",
    [
        "journal.sqlite",
        "postgresql://ann:s3cret",
        "postgresql://ann:s3cret@host:port/name",
        "postgresql://ann:p@s3cret@host/name",
        "mysql://ann:s3cret@host/name",
        "postgresql+asyncpg://ann:s3cret@host/name",
    ],
)
def test_an_invalid_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match="sqlite:///FILE or postgresql://") as caught:
        open_database(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_connecting_to_a_silent_server_times_out() -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # without a listener
        port = taken.getsockname()[1]
        with pytest.raises(JournalNotOpened) as caught:
            open_database(f"postgresql://ann:s3cret@127.0.0.1:{port}/name?sslmode=disable", start_seconds=0.5)
    assert str(caught.value).startswith(f"The journal postgresql://127.0.0.1:{port}/name cannot be opened: ")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value) + str(caught.value.__cause__)


def test_permanent_connection_errors_are_not_retried(postgres: "Postgres") -> None:
    with pytest.raises(JournalNotOpened, match='database "nowhere" does not exist'):
        open_database(postgres.url("nowhere"), start_seconds=1000)


def test_a_missing_privilege_to_create_tables_is_reported(postgres: "Postgres") -> None:
    with postgres.database(migrated=False) as url:
        with plain(url) as engine, engine.begin() as connection:
            connection.execute(text("CREATE ROLE guest LOGIN"))
            connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))  # as since PostgreSQL 15
        with pytest.raises(JournalNotOpened, match="permission denied for schema public"):
            open_database(url.replace("//test@", "//guest@"))
        with plain(url) as engine, engine.begin() as connection:
            connection.execute(text("DROP ROLE guest"))


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text("something else" * 100)
    with pytest.raises(JournalNotOpened, match=r"journal\.sqlite cannot be opened: file is not a database"):
        open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")


def test_the_start_waits_for_a_starting_server(postgres: "Postgres") -> None:
    name = ".s.PGSQL.5432"
    with postgres.database() as url, tempfile.TemporaryDirectory() as temporary:  # a socket's path must be short
        folder = Path(temporary)
        opened: list[Engine] = []
        with starting_up(folder / "fake") as answered:
            url = url.replace(str(postgres.socket), str(folder))
            thread = threading.Thread(target=lambda: opened.append(open_database(url, start_seconds=120)))
            thread.start()  # finds no server
            (folder / name).symlink_to("fake")
            assert answered.wait(120)
        (folder / "real").symlink_to(postgres.socket / name)
        (folder / "real").replace(folder / name)
        thread.join(120)
        assert len(opened) == 1
        opened[0].dispose()


@contextmanager
def starting_up(path: Path) -> Iterator[threading.Event]:
    """A server that answers as PostgreSQL does while it starts; the event is set after an answer."""
    fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    answered = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)
        answered.set()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield answered
        thread.join()


# Meanings of errors


@pytest.mark.parametrize(
    ("state", "unavailable"),
    [
        ("53100", True),  # disk_full
        ("53300", True),  # too_many_connections
        ("55P03", True),  # lock_not_available
        ("40P01", True),  # deadlock_detected
        ("40001", True),  # serialization_failure
        ("57P01", True),  # admin_shutdown
        ("57014", True),  # query_canceled: statement_timeout
        ("25006", True),  # read_only_sql_transaction
        ("08006", True),  # connection_failure
        ("42P01", False),  # undefined_table
        ("23505", False),  # unique_violation
        ("22003", False),  # numeric_value_out_of_range
        ("XX000", False),  # internal_error
    ],
)
def test_postgres_error_codes(postgres_engine: Engine, state: str, unavailable: bool) -> None:
    error = error_of(postgres_engine, f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
    assert is_unavailable(error) is unavailable
    assert is_full(error) is (state == "53100")


def test_a_lock_timeout(postgres_engine: Engine) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(insert(tables.owners).values(owner="ann", beat=1))
    with postgres_engine.begin() as connection:
        connection.execute(update(tables.owners).values(beat=2))
        error = error_of(postgres_engine, "SET LOCAL lock_timeout = '50ms'", "UPDATE owners SET beat = 3")
    assert is_unavailable(error)
    with postgres_engine.connect() as connection:
        assert connection.execute(select(tables.owners.c.beat)).scalar() == 2


def test_a_lost_connection(postgres_engine: Engine) -> None:
    error = error_of(postgres_engine, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_unavailable(error)
    assert not is_full(error)


def test_a_stopped_server(postgres: "Postgres") -> None:
    with plain(f"postgresql://test@/name?host={postgres.socket / 'nowhere'}") as engine:
        with pytest.raises(DBAPIError) as caught:
            engine.connect()
        assert is_unavailable(caught.value)


def test_a_locked_file(sqlite_engine: Engine) -> None:
    with plain(str(sqlite_engine.url)) as other, other.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout = 10"))
        with sqlite_engine.connect().execution_options(write=True) as holder, holder.begin():
            with pytest.raises(DBAPIError) as caught:
                connection.execute(insert(tables.owners).values(owner="ann", beat=1))
            assert is_unavailable(caught.value)
            assert not is_full(caught.value)


def test_a_full_disk(sqlite_engine: Engine) -> None:
    error = error_of(
        sqlite_engine, "PRAGMA max_page_count = 1", "INSERT INTO owners VALUES (hex(zeroblob(1000000)), 1)"
    )
    assert is_full(error)
    assert is_unavailable(error)


def test_an_invalid_statement_is_not_an_outage(engine: Engine) -> None:
    assert not is_unavailable(error_of(engine, "SELECT * FROM nothing"))
    error = error_of(engine, "INSERT INTO owners VALUES ('ann', 1)", "INSERT INTO owners VALUES ('ann', 2)")
    assert not is_unavailable(error)


def test_extended_sqlite_error_codes_are_mapped_to_primary_ones() -> None:
    assert sqlite3.SQLITE_BUSY_SNAPSHOT & 0xFF in database.SQLITE_UNAVAILABLE
    assert sqlite3.SQLITE_ERROR not in database.SQLITE_UNAVAILABLE
