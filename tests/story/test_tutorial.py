"""The tutorial's workflow over HTTP, with all its figures."""

from pathlib import Path
from typing import Any

import pytest

from modelwright import JobFailed
from tests.harness.line import line
from tests.harness.server import Server

TEST_INPUTS = [round(0.8 + 0.02 * step, 2) for step in range(10)]
PREDICTIONS = [0.3982, 0.4049, 0.4116, 0.4184, 0.4251, 0.4318, 0.4386, 0.4453, 0.4520, 0.4588]
TRUTH_MINUS_PREDICTION = [0.5218, 0.5231, 0.5244, 0.5256, 0.5269, 0.5282, 0.5294, 0.5307, 0.5320, 0.5332]


def rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def trained(server: Server, spec: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = server.client.wait(server.client.train(spec)["id"])["result"]
    return result


def test_the_untrained_line(server: Server) -> None:
    result = trained(server, line(0, name="tutorial-untrained"))
    assert result == {"model_name": "tutorial-untrained", "version": 1}
    state = server.client.state_dict("tutorial-untrained", 1)
    assert list(state) == ["weight", "bias"]
    assert {name: rounded(values) for name, values in state.items()} == {"weight": [0.3367], "bias": [0.1288]}
    predictions = server.client.predict("tutorial-untrained", inputs={"x": TEST_INPUTS})["predictions"]
    assert rounded(predictions) == PREDICTIONS
    truth = [0.4 * x + 0.6 for x in TEST_INPUTS]
    assert rounded([t - p for t, p in zip(truth, predictions, strict=True)]) == TRUTH_MINUS_PREDICTION
    manifest = server.client.manifest("tutorial-untrained", 1)
    assert manifest["split"]["train"]["rows"] == 40
    assert manifest["split"]["test"]["rows"] == 10
    assert manifest["metrics"]["test"]["mae"] == pytest.approx(sum(TRUTH_MINUS_PREDICTION) / 10, abs=1e-4)


def test_a_job_without_epochs(server: Server) -> None:
    job = server.client.wait(server.client.train(line(0, name="none"))["id"])
    assert all(series == [] for series in server.client.metrics(job["id"]).values())


def test_the_line_after_a_thousand_epochs(server: Server) -> None:
    job = server.client.wait(server.client.train(line(1000, name="trained"))["id"])
    state = server.client.state_dict("trained", 1)
    assert state["weight"][0] == pytest.approx(0.4, abs=0.02)
    assert state["bias"][0] == pytest.approx(0.6, abs=0.02)
    metrics = server.client.metrics(job["id"])
    assert metrics["epoch"] == list(range(1, 1001))
    assert len(metrics["train_loss"]) == 1000
    assert metrics["train_loss"][-1] < 0.01 < metrics["train_loss"][0]
    assert job["progress"]["fraction"] == 1
    assert job["metrics"]["train_loss"] == metrics["train_loss"][-1]
    assert server.client.manifest("trained", 1)["job"] == job["id"]


def test_all_ways_to_predict_agree(server: Server) -> None:
    trained(server, line(10, name="ways"))
    ways = [
        server.client.predict("ways", [[0.5]]),
        server.client.predict("ways", [{"x": 0.5}]),
        server.client.predict("ways", inputs={"x": [0.5]}),
        server.client.predict("ways", query={"x": 0.5}),
        server.client.predict("ways", [0.5], version=1),
    ]
    assert {answer["predictions"][0] for answer in ways} == {ways[0]["predictions"][0]}


def test_the_same_spec_gives_the_same_tensors(server: Server) -> None:
    first, second = (trained(server, line(20, name="twice")) for _ in range(2))
    files = [server.client.manifest("twice", each["version"])["files"] for each in (first, second)]
    assert files[0]["state_dict.safetensors"] == files[1]["state_dict.safetensors"]


def test_a_diverging_training_fails_and_leaves_no_version(server: Server) -> None:
    spec = line(50, name="diverging", loss={"name": "MSELoss"}, optimizer={"name": "SGD", "lr": 1e30})
    job_id = server.client.train(spec)["id"]
    with pytest.raises(JobFailed):
        server.client.wait(job_id)
    job = server.client.job(job_id)
    assert job["status"] == "failed"
    assert job["result"] is None
    assert job["error"]["code"] == "training_diverged"
    assert "epoch" in job["error"]["detail"]
    assert any(character.isdigit() for character in job["error"]["detail"])
    assert server.http.get("/v1/models/diverging").status_code == 404


def test_a_bundle_is_the_same_model_elsewhere(server: Server, own: Server, tmp_path: Path) -> None:
    trained(server, line(100, name="tutorial-shared"))
    bundle = server.client.download_bundle("tutorial-shared", 1, tmp_path / "shared.zip")
    own.client.upload_bundle("received", bundle)
    here, there = server.client.manifest("tutorial-shared", 1), own.client.manifest("received", 1)
    assert here["digest"] == there["digest"]
    ours = server.client.predict("tutorial-shared", inputs={"x": TEST_INPUTS})["predictions"]
    assert ours == own.client.predict("received", inputs={"x": TEST_INPUTS})["predictions"]
    again = own.http.post(
        "/v1/models/received/versions", content=bundle.read_bytes(), headers={"Content-Type": "application/zip"}
    )
    assert again.status_code == 200
    assert [version["version"] for version in own.client.versions("received")] == [1]
