"""A service that a test may kill or stop; other tests share the one in tests/conftest.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A service that a test may kill."""
    with Server(tmp_path / "home") as server:
        yield server
        server.end()  # quicker than to stop it
