"""One real server for each test process, shared by all who only talk to it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.api.live_server import LiveServer

# How long an example takes says nothing of the code where others share the machine, or where it is the first to import.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A real server."""
    started = LiveServer(tmp_path_factory.mktemp("server") / "home")
    try:
        yield started
    finally:
        assert started.stop() == 0
        assert "ERROR" not in started.log(), started.log()
