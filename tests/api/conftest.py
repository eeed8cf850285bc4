"""A client of the real server, and a trained line in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.line import line as line_spec
from tests.harness.server import Server
from tests.harness.until import until

LINE = line_spec(5)


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of the server."""
    with server.http_client() as client:
        yield client


def train(http: httpx.Client, name: str, **about: Any) -> dict[str, Any]:
    """A model of that name, trained on the line unless the spec says otherwise: the job that has succeeded."""
    accepted = http.post("/v1/training-jobs", json={**LINE, "model_name": name, **about})
    assert accepted.status_code == 202, accepted.text
    job = ended(http, accepted.json()["id"])
    assert job["status"] == "succeeded", job
    return job


def ended(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has ended; the first one waits for a trainer server that still loads."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = http.get(f"/v1/training-jobs/{job_id}?wait=20").json()
        return None if job["status"] in ("queued", "running") else job

    job: dict[str, Any] = until(look, 300)
    return job


@pytest.fixture(scope="session")
def line(http: httpx.Client) -> dict[str, Any]:
    """The job that made version 1 of the model `line`. No test changes this model."""
    return train(http, "line")


@pytest.fixture
def model(http: httpx.Client, request: pytest.FixtureRequest) -> str:
    """The name of a model with one version that belongs to this test alone."""
    name = "own-" + "".join(each if each.isalnum() else "-" for each in request.node.name.lower())[:40].strip("-")
    train(http, name, training={"epochs": 0})
    return name


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A small table."""
    path = tmp_path / "houses.csv"
    path.write_text("area,rooms,price\n" + "".join(f"{50 + i},{i % 5},{100 + 3 * i}\n" for i in range(40)))
    return path
