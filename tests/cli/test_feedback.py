"""Feedback and live metrics on the command line and by the Python client."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright import Client, problems
from tests.api.conftest import train
from tests.cli.conftest import Run
from tests.harness.server import Server


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps all predictions, with a model of one number."""
    with Server(tmp_path_factory.mktemp("feedback") / "home", spare=False, prediction_log=1) as started:
        train(started.http, "line", training={"epochs": 0})
        yield started


def test_truths_become_live_metrics(logging: Server, run: Run, tmp_path: Path) -> None:
    at = ("--url", logging.url)
    with Client(logging.url) as client:
        client.predict("line", [[each / 10] for each in range(30)], request_id="thirty")
        assert not client.live_metrics("line").enough
        assert client.feedback("line", [{"request_id": "thirty", "row": 0, "truth": 1.0}]).kept == 1
        with pytest.raises(problems.PredictionNotFound):
            client.feedback("line", [{"request_id": "another", "row": 0, "truth": 1.0}])
    told = run("models", "feedback", "line", "thirty", "2.5", "--row", 1, *at)
    assert (told.status, told.out) == (0, "1 truths are kept.\n")
    told = run("models", "live-metrics", "line", *at)
    assert "2 predictions" in told.out and "at least 20 are needed" in told.out
    file = tmp_path / "truths.jsonl"
    file.write_text("".join(json.dumps({"request_id": "thirty", "row": row, "truth": 1.0}) + "\n" for row in range(25)))
    told = run("models", "feedback", "line", "--file", file, "--json", *at)
    assert json.loads(told.out) == {"kept": 25}
    told = run("models", "live-metrics", "line", *at)
    assert "25 predictions" in told.out and "mae" in told.out


def test_what_is_wrong_is_said(logging: Server, run: Run, tmp_path: Path) -> None:
    at = ("--url", logging.url)
    assert run("models", "feedback", "line", *at).status == 2
    assert run("models", "feedback", "line", "thirty", "1", "--file", tmp_path / "truths", *at).status == 2
    missing = run("models", "feedback", "line", "--file", tmp_path / "missing", *at)
    assert missing.status == 1 and "missing" in missing.err
    broken = tmp_path / "broken"
    for content in (b"\xff\xfe\n", b"{\n", b"[1]\n"):
        broken.write_bytes(content)
        found = run("models", "feedback", "line", "--file", broken, *at)
        assert found.status in (1, 2) and found.err
    unknown = run("models", "feedback", "line", "another", "1", *at)
    assert unknown.status == 3 and "another" in unknown.err


def test_a_service_without_the_log_says_so(server: Server, run: Run) -> None:
    train(server.http, "unlogged", training={"epochs": 0})
    refused = run("models", "feedback", "unlogged", "some", "1")
    assert refused.status == 1 and "MODELWRIGHT_PREDICTION_LOG" in refused.err
