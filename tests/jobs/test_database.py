import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text

from service.jobs import tables
from service.jobs.database import HEAD, open_database
from service.jobs.errors import JournalTooNew

ROOT = Path(__file__).parents[2]
OPEN = "import sys; from service.jobs.database import open_database; sys.stdin.read(1); open_database(sys.argv[1])"


def test_the_revisions_make_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == HEAD


def test_what_is_acknowledged_is_on_the_disk(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.sqlite'}"
    plain = create_engine(url)
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    plain.dispose()
    before = (tmp_path / "journal.sqlite").stat().st_size
    with pytest.raises(JournalTooNew, match="newer version"):
        open_database(url)
    assert (tmp_path / "journal.sqlite").stat().st_size == before


def test_many_processes_may_start_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.sqlite'}"
    command = [sys.executable, "-c", OPEN, url]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) for _ in range(6)]  # noqa: S603 - our own code
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()  # the start signal, once all have been started
    assert [process.wait(120) for process in processes] == [0] * 6
    engine = open_database(url)
    engine.dispose()


def test_a_start_waits_for_another_that_has_only_just_made_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # in the mode of a new file, which the pragma for another cannot wait for
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_database, f"sqlite:///{path}")
        with pytest.raises(TimeoutError):
            opening.result(0.2)
        other.execute("COMMIT")
        other.close()
        opening.result(60).dispose()
