"""The packages, and one service for all tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server
from tests.public_tables import packages


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder of the packages."""
    return packages.installed()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real service."""
    with Server(tmp_path_factory.mktemp("public") / "home", slots=1) as server:
        yield server
