"""Models for the clients of other servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.clients import environments
from tests.harness.server import Server

IRIS = Path(__file__).parents[2] / "examples" / "iris.csv"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
SHOPS: list[dict[str, Any]] = [
    {"size": 10.5, "city": "Köln", "open": True, "since": "2020-01-05"},
    {"size": 40.0, "city": "Bonn", "open": False, "since": "2021-07-01T12:00:00"},
]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts the installation of the clients if their tests are to run."""
    if any(Path(__file__).parent in item.path.parents for item in session.items):
        environments.begin()


def pytest_sessionfinish() -> None:
    """Ends an unfinished installation."""
    environments.end()


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """Our own client, for the expected predictions."""
    with server.http_client() as client:
        train(client, "line")
        client.put("/v1/datasets/iris", content=IRIS.read_bytes(), headers={"Content-Type": "text/csv"})
        train(client, "iris", **table({"kind": "dataset", "dataset": "iris", "target": "species"}), loss=CROSS_ENTROPY)
        records = [{**SHOPS[i % 2], "size": i, "sales": 3 * i, "staff": i % 4} for i in range(20)]
        train(client, "shops", **table({"kind": "rows", "records": records, "target": ["sales", "staff"]}), loss=MSE)
        yield client


CROSS_ENTROPY, MSE = {"name": "CrossEntropyLoss"}, {"name": "MSELoss"}


def table(data: dict[str, Any]) -> dict[str, Any]:
    """A spec of a small network on a table."""
    return {
        "data": data,
        "split": {"train": 0.8, "test": 0.2},
        "model": {"kind": "mlp", "hidden": [8]},
        "training": {"epochs": 2},
    }
