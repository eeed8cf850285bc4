"""Findings about the file of a journal, and about rows with wrong checksums."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from service.jobs import tables
from service.jobs.database import connect_database, open_database
from service.jobs.errors import JournalNotOpened
from service.jobs.journal import Journal
from service.jobs.verification import integrity, verify


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal with three jobs."""
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    journal = Journal(engine)
    for name in ("a", "b", "c"):
        journal.submit(name, {"model_name": name}, {})
    engine.dispose()
    return tmp_path / "journal.sqlite"


def test_an_intact_journal_has_no_findings(file: Path) -> None:
    engine = connect_database(f"sqlite:///{file}")
    assert [*integrity(engine), *verify(engine)] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("spec", '{"model_name": "c"}'), ("status", "succeeded"), ("priority", 7), ("model_name", "c"), ("spec", "{")],
)
def test_a_row_that_was_changed_is_named(file: Path, column: str, value: object) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE jobs SET {column} = ? WHERE model_name = 'b'", [value])  # noqa: S608 - our own
        (job,) = connection.execute("SELECT id FROM jobs WHERE seq = 2").fetchone()
    engine = connect_database(f"sqlite:///{file}")
    assert list(integrity(engine)) == []
    (row,) = verify(engine)
    assert (row.table, row.key, row.problem) == ("jobs", f"job {job}", "damaged")


def test_findings_of_sqlite_are_reported(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_newest'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(file.read_bytes())
    data[(root - 1) * size : (root - 1) * size + 200] = b"\x7f" * 200
    file.write_bytes(data)
    assert list(integrity(connect_database(f"sqlite:///{file}")))


def test_a_journal_of_another_version_is_refused(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(JournalNotOpened, match="start this one once"):
        list(integrity(connect_database(f"sqlite:///{file}")))


def test_rows_on_postgresql(postgres_engine: Engine) -> None:
    Journal(postgres_engine).submit("a", {"model_name": "a"}, {})
    assert [*integrity(postgres_engine), *verify(postgres_engine)] == []
    with postgres_engine.begin() as connection:
        connection.execute(update(tables.jobs).values(priority=3))
    assert [row.table for row in verify(postgres_engine)] == ["jobs"]
