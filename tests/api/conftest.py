"""Fixtures: a client of the shared server, a trained model `line`, and servers with other settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.keyed import KeyedServer
from tests.harness.line import line as line_spec
from tests.harness.server import Server
from tests.harness.until import until

LINE = line_spec(5)
ADMIN_KEY = "correct-horse-battery-staple-and-more"
MAX_UPLOAD_BYTES = 4 * 2**20
WEBHOOK_SECRET = "a secret that nobody else knows"  # noqa: S105 - of these tests


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of the server."""
    with server.http_client() as client:
        yield client


def train(http: httpx.Client, name: str, **about: Any) -> dict[str, Any]:
    """Trains a model of that name, on the line unless the spec says otherwise; returns the succeeded job."""
    accepted = http.post("/v1/training-jobs", json={**LINE, "model_name": name, **about})
    assert accepted.status_code == 202, accepted.text
    job = ended(http, accepted.json()["id"])
    assert job["status"] == "succeeded", job
    return job


def ended(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has ended. The timeout covers a trainer server that is still loading."""

    def get_ended() -> dict[str, Any] | None:
        job: dict[str, Any] = http.get(f"/v1/training-jobs/{job_id}?wait=20").json()
        return None if job["status"] in ("queued", "running") else job

    job: dict[str, Any] = until(get_ended, 300)
    return job


@pytest.fixture(scope="session")
def line(http: httpx.Client) -> dict[str, Any]:
    """The job that made version 1 of the model `line`. No test changes this model."""
    return train(http, "line")


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with settings other than the defaults, shared by all tests of these settings."""
    settings: dict[str, Any] = {
        "access_log": "none",
        "default_model": "chosen@1",
        "max_upload_bytes": MAX_UPLOAD_BYTES,
        "webhook_hosts": "127.0.0.1, hooks.example.com:8443",
        "webhook_secret": WEBHOOK_SECRET,
    }
    with Server(tmp_path_factory.mktemp("configured") / "home", spare=False, **settings) as started:
        yield started
    assert '"level":"error"' not in started.log(), started.log()
    assert WEBHOOK_SECRET not in started.log()


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A server with keys, a model and an alias."""
    with KeyedServer(tmp_path_factory.mktemp("keyed") / "home", admin_key=ADMIN_KEY) as started:
        with started.as_("train") as http:
            train(http, "line", training={"epochs": 0})
        with started.as_("admin") as http:
            assert http.put("/v1/models/line/aliases/production", json={"version": 1}).status_code == 200
        yield started
    assert '"level":"error"' not in started.log(), started.log()
    for secret in [*started.keys.values(), ADMIN_KEY]:
        assert secret not in started.log()
        for path in started.home.rglob("*"):
            assert path.is_dir() or secret.encode() not in path.read_bytes(), path


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A server with keys and a model that logs every request. Few requests without a key go to it: beyond a limit they
    have no line in its audit log."""
    with KeyedServer(tmp_path_factory.mktemp("audited") / "home", access_log="all") as started:
        with started.as_("train") as http:
            train(http, "line", training={"epochs": 0})
        yield started


@pytest.fixture
def model(http: httpx.Client, request: pytest.FixtureRequest) -> str:
    """The name of a model with one version, used by this test alone."""
    name = "own-" + "".join(each if each.isalnum() else "-" for each in request.node.name.lower())[:40].strip("-")
    train(http, name, training={"epochs": 0})
    return name


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A small table."""
    path = tmp_path / "houses.csv"
    path.write_text("area,rooms,price\n" + "".join(f"{50 + i},{i % 5},{100 + 3 * i}\n" for i in range(40)))
    return path
