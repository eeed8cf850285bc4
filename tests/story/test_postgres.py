"""The journal on a PostgreSQL server: the service behaves the same, and the home has no journal."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from tests.harness.line import line
from tests.harness.server import Server
from tests.harness.until import until

if TYPE_CHECKING:
    from tests.postgres import Postgres


@pytest.fixture
def address(postgres: "Postgres") -> Iterator[str]:
    with postgres.database(migrated=False) as url:
        yield url.replace("//test@", "//test:s3cret@")


@pytest.fixture
def own(tmp_path: Path, address: str) -> Iterator[Server]:
    """A service that a test may kill."""
    with Server(tmp_path / "home", database_url=address) as server:
        yield server


def test_a_job_outlives_a_killed_service(own: Server) -> None:
    done = own.client.wait(own.client.train(line(3))["id"])
    job_id = own.client.train(line(2_000, name="long"))["id"]
    until(lambda: own.client.job(job_id)["progress"])
    own.kill()
    own.start()
    assert own.client.job(done["id"]) == done
    assert own.client.wait(job_id)["status"] == "succeeded"
    assert own.stop() == 0
    assert not (own.home / "journal.sqlite").exists()
    assert "s3cret" not in own.log()


def test_a_training_continues_when_its_database_connections_are_cut(own: Server, address: str) -> None:
    job_id = own.client.train(line(5_000))["id"]
    until(lambda: own.client.job(job_id)["progress"])
    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"))
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(5):
        with engine.connect() as connection:
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608 - our own
    engine.dispose()
    job = own.client.wait(job_id)
    assert (job["status"], job["attempt"]) == ("succeeded", 1)
    assert own.stop() == 0
