"""A new journal for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from service.jobs.database import open_database
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from tests.jobs.runners import start

__all__ = ["start"]

if TYPE_CHECKING:
    from tests.postgres import Postgres


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """For tests that read the file, or need to run on one database only."""
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres: "Postgres") -> Iterator[Engine]:
    """For tests of PostgreSQL only."""
    with postgres.database() as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each database in turn, also below `journal`; `parametrize("engine", ["sqlite"], indirect=True)` chooses one."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return Journal(engine)


@pytest.fixture
def queue(engine: Engine) -> JobQueue:
    return JobQueue(engine)
