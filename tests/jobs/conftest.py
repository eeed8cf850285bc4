"""A journal of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.jobs.database import open_database
from service.jobs.dispatch import Dispatch
from service.jobs.journal import Journal
from tests.jobs.runners import start

__all__ = ["start"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return Journal(engine)


@pytest.fixture
def dispatch(engine: Engine) -> Dispatch:
    return Dispatch(engine)
