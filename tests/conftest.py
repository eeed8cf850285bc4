"""Servers shared by the tests of a test process."""

import gc
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests import examples  # noqa: F401 - whose profile holds for all
from tests.harness.fork_server import ForkServer
from tests.harness.object_servers import Azurite, MiniStack
from tests.harness.server import Server

if TYPE_CHECKING:
    from tests.postgres import Postgres

TRAINER_SERVER_KILLED = "the trainer server ended (status -9)"  # as tests do

# jsonschema, which Altair imports, would compile the grammar of IRIs in every test process: more than a second of processor time.
# No test checks an IRI.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # the documented way to forbid an import

# As in the service. More threads would make each small forward of a test wait for a core: ten times the processor time
# where several test processes share two cores.
torch.set_num_threads(1)

# What is imported and collected lives as long as the process, so that visits of the garbage collector find nothing.
gc.disable()


def pytest_collection_finish() -> None:
    """Has the collector skip from now on what there is."""
    gc.freeze()
    gc.enable()


# The time of an example depends on other processes and on imports, not on the code alone.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> Iterator[ForkServer]:
    """Lets services start without the time of their imports."""
    started = ForkServer()
    Server.fork_server = started if sys.platform == "linux" else None
    yield started
    started.close()


@pytest.fixture
def own_garbage() -> None:
    """For tests that measure processor time: a garbage collection visits the objects of the test only, not those that
    earlier tests have left."""
    gc.collect()  # what is frozen is never collected
    gc.freeze()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Shared by all tests of a test process; they must not stop it, and give their models unique names."""
    with Server(tmp_path_factory.mktemp("server") / "home", slots=1) as started:
        yield started
    errors = [line for line in started.log().splitlines() if '"level":"error"' in line]
    assert [line for line in errors if TRAINER_SERVER_KILLED not in line] == [], started.log()


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """A PostgreSQL server. Without one, its tests are skipped, or fail with POSTGRES_TESTS=required."""
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


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """A server of S3's protocol, which no test stops. Where none is installed, its tests are skipped, or fail with
    OBJECT_STORE_TESTS=required."""
    with MiniStack(tmp_path_factory.mktemp("ministack")) as started:
        yield started


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """As `ministack`, of Azure's protocol."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as started:
        yield started


def _without(reason: str) -> NoReturn:
    if os.environ.get("POSTGRES_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
