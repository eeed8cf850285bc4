"""One real server of each kind for each test process, shared by all who only talk to it."""

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests import examples  # noqa: F401 - whose profile holds for all
from tests.harness.server import Server

if TYPE_CHECKING:
    from tests.postgres import Postgres

TRAINER_SERVER_KILLED = "the trainer server ended (status -9)"  # as a test does

# As in the service. Threads of their own would make each small forward of a test wait for a core: ten times the processor
# time where several test processes share two cores.
torch.set_num_threads(1)

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
    """Shared by all tests of a test process; none of them ends it, and each gives its models names of their own."""
    with Server(tmp_path_factory.mktemp("server") / "home", slots=1) as started:
        yield started
    errors = [line for line in started.log().splitlines() if '"level":"error"' in line]
    assert [line for line in errors if TRAINER_SERVER_KILLED not in line] == [], started.log()


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
