"""What was acknowledged outlives the service."""

import secrets
import sqlite3
import time
from pathlib import Path

from tests.story.chaos.campaign import Course, run
from tests.story.server import Server, line, until, verify


def test_a_stop_loses_nothing(own: Server) -> None:
    own.client.wait(own.client.train(line(100))["id"])
    own.client.set_alias("line", "production", 1)
    before = own.client.predict("line", inputs={"x": [0.1, 0.5, 0.9]})
    job_id, epochs = stop_in_training(own)
    own.start()
    assert own.client.predict("line", inputs={"x": [0.1, 0.5, 0.9]}) == before
    assert [version["version"] for version in own.client.versions("line")] == [1]
    job = own.client.wait(job_id)
    assert job["attempt"] == 2
    assert own.client.metrics(job_id)["epoch"] == list(range(1, epochs + 1))
    assert own.stop() == 0
    verify(own.home)


def test_no_promise_is_broken_by_five_strikes_at_random_moments(tmp_path: Path) -> None:
    course = Course(strikes=5, seed=secrets.randbits(32), seconds=120, recipes=["line", "long-line", "dropout", "wide"])
    assert run(tmp_path / "home", course).findings == []  # it prints its seed, and each strike


def journal_status(home: Path, job_id: str) -> str:
    connection = sqlite3.connect(home / "journal.sqlite")
    (status,) = connection.execute("SELECT status FROM jobs WHERE id = ?", (job_id,)).fetchone()
    connection.close()
    return str(status)
