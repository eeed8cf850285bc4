"""What was acknowledged survives the service."""

import secrets
import sqlite3
from pathlib import Path

from tests.harness.line import line
from tests.harness.server import Server, verify
from tests.harness.until import until
from tests.story.chaos.campaign import CampaignSettings, run


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
    stored = own.client.metrics(job_id)["epoch"]  # thinned when they are more than 10,000
    assert stored == list(range(1, epochs + 1)) if epochs < 10_000 else (stored[0], stored[-1]) == (1, epochs)
    assert own.stop() == 0
    verify(own.home)


def stop_in_training(own: Server) -> tuple[str, int]:
    """Stops the service during a training: the job and its epochs. If it ends before, a longer one follows."""
    for epochs in (6_000, 24_000, 96_000, 384_000):
        job_id = own.client.train(line(epochs, name="long"))["id"]
        until(lambda: own.client.job(job_id)["progress"])  # noqa: B023 - used at once
        (trainer,) = own.children()
        with own.http.stream("GET", f"/v1/training-jobs/{job_id}/events", headers={"Accept": "text/event-stream"}):
            assert own.stop() == 0
        assert "timeout graceful shutdown exceeded" not in own.log(), "an open event stream must not hold the stop up"
        assert not Path(f"/proc/{trainer}").exists()
        assert not list((own.home / "tmp" / "attempts").glob("*"))
        if (status := journal_status(own.home, job_id)) != "succeeded":
            assert status == "queued"
            return job_id, epochs
        own.start()
    raise AssertionError("no stop was quicker than a training")


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    seed, recipes = secrets.randbits(32), ["line", "dropout"]
    settings = CampaignSettings(strikes=2, seed=seed, seconds=120, recipes=recipes, calm=0.3, most_queued=1)
    assert run(tmp_path / "home", settings).findings == []  # prints its seed and each strike


def journal_status(home: Path, job_id: str) -> str:
    connection = sqlite3.connect(home / "journal.sqlite")
    (status,) = connection.execute("SELECT status FROM jobs WHERE id = ?", (job_id,)).fetchone()
    connection.close()
    return str(status)
