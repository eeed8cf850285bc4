"""A real service, started as a reader of the documentation would start it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The URL of a new service."""
    with Server(tmp_path / "home") as server:
        yield server.url
