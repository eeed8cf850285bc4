"""A service for stories that end it; the others share that of all tests (tests/conftest.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A service that a test may kill."""
    with Server(tmp_path / "home") as server:
        yield server
        server.end()  # which takes less time than to stop
