"""One real server of each kind for each test process, shared by all who only talk to it."""

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests import examples  # noqa: F401 - whose profile holds for all
from tests.harness.server import Server

if TYPE_CHECKING:
    from tests.postgres import Postgres

# How long an example takes says nothing of the code where others share the machine, or where it is the first to import.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def own_garbage() -> Iterator[None]:
    """For tests that count seconds of processor: a collection meanwhile walks through what the test has made, and not through
    all that the tests before it have left."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server."""
    with Server(tmp_path_factory.mktemp("server") / "home") as started:
        yield started
    assert '"level":"error"' not in started.log(), started.log()


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """A PostgreSQL server. Who asks for it is skipped where there is none, and fails with POSTGRES_TESTS=required."""
    try:
        from tests.postgres import NoPostgres, Postgres
    except ModuleNotFoundError as error:
        _without(str(error))
    try:
        started = Postgres()
    except NoPostgres as error:
        _without(str(error))
    try:
        yield started
    finally:
        started.stop()


def _without(reason: str) -> NoReturn:
    if os.environ.get("POSTGRES_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
