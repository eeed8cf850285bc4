"""`/metrics` has everything that the operator's guide lists, with a bounded set of labels."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine

from service.jobs.database import open_database
from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.telemetry.jobs import KEPT, JournalFigures
from service.telemetry.metrics import Metrics
from tests.api.conftest import LINE, ended, train
from tests.harness.server import Server
from tests.harness.until import until

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"


def families(text: str) -> dict[str, Metric]:
    return {each.name: each for each in text_string_to_metric_families(text)}


def value(http: httpx.Client, sample: str, **labels: str) -> float:
    """The value of a sample, 0 where there is none with these labels."""
    for family in families(http.get("/metrics").text).values():
        for each in family.samples:
            if each.name == sample and each.labels == labels:
                return each.value
    return 0.0


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that no other test uses."""
    home = tmp_path_factory.mktemp("measured") / "home"
    with Server(home, prediction_log=1) as server, server.http_client() as client:
        yield client


def test_every_metric_matches_the_guide(http: httpx.Client) -> None:
    job = train(http, "line")
    http.post("/v1/models/line/predictions", json={"instances": [[0.5]]})
    documented = {
        name: (kind, labels)
        for name, kind, labels in re.findall(
            r"^\| `(\w+)` \| (\w+) \| (.*?) \|", GUIDE.read_text().partition("## Metrics")[2], re.MULTILINE
        )
    }
    found = {}
    for family in families(http.get("/metrics").text).values():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for each in family.samples for label in each.labels if label != "le"}
        found[name] = (family.type, ", ".join(f"`{each}`" for each in sorted(labels)))
    assert job["status"] == "succeeded"
    assert found == documented


def test_clients_cannot_create_label_values(http: httpx.Client) -> None:
    before = len(http.get("/metrics").text.splitlines())
    for verb in ("PROPFIND", "MKCOL", "LOCK"):  # a value that the server knows
        assert http.request(verb, "/nothing").status_code == 404
    for number in range(30):
        assert http.get(f"/nothing/{number}").status_code == 404
        assert http.get(f"/v1/models/nobody-{number}").status_code == 404
        assert http.post(f"/v1/models/nobody-{number}/predictions", json={"instances": [[1]]}).status_code == 404
    assert value(http, "modelwright_http_requests_total", method="GET", route="other", status="404") == 30
    assert value(http, "modelwright_http_requests_total", method="other", route="other", status="404") == 3
    assert value(http, "modelwright_http_requests_total", method="GET", route="/v1/models/{name}", status="404") == 30
    assert value(http, "modelwright_predictions_total", model="", version="", status="404") == 30
    assert len(http.get("/metrics").text.splitlines()) - before < 100


def test_job_outcomes_are_counted(http: httpx.Client) -> None:
    before = value(http, "modelwright_attempts_total", end="training_diverged")
    steep = {"optimizer": {"name": "SGD", "lr": 1e30}, "loss": {"name": "MSELoss"}}
    sent = http.post("/v1/training-jobs", json={**LINE, "model_name": "steep", **steep}).json()
    assert ended(http, sent["id"])["status"] == "failed"
    assert value(http, "modelwright_attempts_total", end="training_diverged") == before + 1
    assert value(http, "modelwright_job_seconds_count", status="failed") == 1
    until(lambda: value(http, "modelwright_jobs", status="failed") == 1)  # the journal is queried once a second


def test_open_event_streams_are_counted(http: httpx.Client) -> None:
    training = LINE["training"] | {"epochs": 1_000_000}
    job_id = http.post("/v1/training-jobs", json={**LINE, "model_name": "long", "training": training}).json()["id"]
    with http.stream("GET", f"/v1/training-jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        assert value(http, "modelwright_event_streams") == 1
    http.post(f"/v1/training-jobs/{job_id}/cancel")
    until(lambda: value(http, "modelwright_event_streams") == 0)


def test_the_journal_is_queried_once_a_second_and_may_be_unavailable(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    journal, queue = Journal(engine), JobQueue(engine)
    queries = []

    def count() -> dict[Status, int]:
        queries.append(1)
        return journal.counts()

    for _ in range(3):
        journal.submit("line", {}, {})
    queue.claim("me")
    figures = JournalFigures(count)

    def jobs_by_status() -> dict[tuple[str, ...], float]:
        return {
            (each.name, *each.labels.values()): each.value for family in figures.collect() for each in family.samples
        }

    first = jobs_by_status()
    assert first["modelwright_jobs", "queued"] == 2
    assert first["modelwright_jobs", "running"] == 1
    assert first["modelwright_jobs", "failed"] == 0
    assert jobs_by_status() == first
    assert len(queries) == 1
    engine.dispose()

    away = create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'journal.sqlite'}")
    families = list(JournalFigures(Journal(away).counts).collect())
    assert [each.value for family in families for each in family.samples] == [0.0]  # modelwright_journal_up
    assert KEPT == 1.0


def test_jobs_that_end_in_this_process_are_counted_once(tmp_path: Path) -> None:
    metrics = Metrics()
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    journal, queue = Journal(engine, moved=metrics.jobs.moved), JobQueue(engine, moved=metrics.jobs.moved)
    first, second = (journal.submit("line", {}, {})[0] for _ in range(2))
    for _ in range(2):
        journal.cancel(second.id)
    for _ in range(2):
        job = queue.claim("me")
        assert job is not None
        assert job.id == first.id
        queue.finish(job, Status.QUEUED, error={"code": "stopped", "detail": ""})
    job = queue.claim("me")
    assert job is not None
    journal.pause(job.id)
    queue.finish(job, Status.QUEUED, error={"code": "stopped", "detail": ""})
    journal.resume(job.id)
    job = queue.claim("me")
    assert job is not None
    queue.finish(job, Status.SUCCEEDED, result={})
    engine.dispose()
    text = generate_latest(metrics.registry).decode()
    for line in (
        'modelwright_attempts_total{end="stopped"} 2.0',
        'modelwright_attempts_total{end="paused"} 1.0',
        'modelwright_attempts_total{end="succeeded"} 1.0',
        'modelwright_job_seconds_count{status="cancelled"} 1.0',
        'modelwright_job_seconds_count{status="succeeded"} 1.0',
        "modelwright_job_queue_seconds_count 1.0",
    ):
        assert line in text.splitlines()
