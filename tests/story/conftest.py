"""Services for the stories: one for all tests that leave it alive."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Shared by all tests; none of them ends it, and each gives its models names of their own."""
    with Server(tmp_path_factory.mktemp("shared") / "home", slots=1) as server:
        yield server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A service that a test may kill."""
    with Server(tmp_path / "home") as server:
        yield server
        server.end()  # which takes less time than to stop
