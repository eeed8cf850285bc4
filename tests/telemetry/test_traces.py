"""One trace from a client's request to the last stage of its training, received by an OTLP collector."""

import itertools
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.api.conftest import LINE, ended, train
from tests.harness.server import Server
from tests.harness.until import until
from tests.telemetry.collector import Collector, attributes, collecting

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["load_data", "prepare", "train", "evaluate", "publish"]
LOOK = "the collector does not accept traces"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("traced") / "home"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with Server(home, environment=environment) as started:
        yield started
    assert '"level":"error"' not in started.log(), started.log()


@pytest.fixture
def http(traced: Server) -> Iterator[httpx.Client]:
    with traced.http_client() as client:
        yield client


def submit(http: httpx.Client, traceparent: str, **spec: Any) -> dict[str, Any]:
    sent = http.post("/v1/training-jobs", json={**LINE, **spec}, headers={"traceparent": traceparent})
    assert sent.status_code == 202, sent.text
    return ended(http, sent.json()["id"])


def the(spans: list[Span]) -> Span:
    (span,) = spans
    return span


def test_one_trace_from_the_client_to_the_stages_of_its_training(http: httpx.Client, collector: Collector) -> None:
    job = submit(http, f"00-{TRACE}-{CALLER}-01", model_name="line")
    span = the(until(lambda: collector.named("job", job["id"])))
    request = the(until(lambda: collector.named("POST /v1/training-jobs", job["id"])))
    attempt = the(collector.named("attempt", job["id"]))
    until(lambda: collector.named(STAGES[-1], job["id"]))
    stages = [the(collector.named(name, job["id"])) for name in STAGES]
    assert {each.trace_id.hex() for each in (request, span, attempt, *stages)} == {TRACE}
    assert request.parent_span_id.hex() == CALLER
    assert span.parent_span_id == request.span_id
    assert attempt.parent_span_id == span.span_id
    assert {each.parent_span_id for each in stages} == {attempt.span_id}
    assert request.kind == Span.SPAN_KIND_SERVER
    moments = [moment for each in stages for moment in (each.start_time_unix_nano, each.end_time_unix_nano)]
    slack = 20_000_000  # ns: the clocks of two processes
    assert all(before <= after + slack for before, after in itertools.pairwise(moments))
    assert span.start_time_unix_nano <= attempt.start_time_unix_nano <= moments[0] + slack
    assert moments[-1] <= attempt.end_time_unix_nano + slack
    assert attempt.end_time_unix_nano <= span.end_time_unix_nano + slack
    assert attributes(span)["modelwright.job.status"] == "succeeded"
    assert collector.services == {"modelwright"}


def test_a_failure_is_in_its_span(http: httpx.Client, collector: Collector) -> None:
    steep = {"model_name": "steep", "optimizer": {"name": "SGD", "lr": 1e30}, "loss": {"name": "MSELoss"}}
    job = submit(http, f"00-{TRACE}-{CALLER}-01", **steep)
    assert job["error"]["code"] == "training_diverged"
    span = the(until(lambda: collector.named("job", job["id"])))
    attempt = the(collector.named("attempt", job["id"]))
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "training_diverged")
    assert attributes(attempt)["modelwright.attempt.end"] == "training_diverged"
    assert collector.named("evaluate", job["id"]) == []


def test_every_attempt_has_a_span(http: httpx.Client, collector: Collector) -> None:
    training = LINE["training"] | {"epochs": 1_000_000}
    job_id = http.post("/v1/training-jobs", json={**LINE, "model_name": "long", "training": training}).json()["id"]
    until(lambda: http.get(f"/v1/training-jobs/{job_id}").json()["progress"])
    assert http.post(f"/v1/training-jobs/{job_id}/pause").json()["status"] == "paused"
    http.post(f"/v1/training-jobs/{job_id}/resume")
    until(lambda: http.get(f"/v1/training-jobs/{job_id}").json()["attempt"] == 2)
    http.post(f"/v1/training-jobs/{job_id}/cancel")
    span = the(until(lambda: collector.named("job", job_id)))
    attempts = sorted(collector.named("attempt", job_id), key=lambda each: each.start_time_unix_nano)
    assert [attributes(each)["modelwright.attempt.end"] for each in attempts] == ["paused", "cancelled"]
    assert {each.parent_span_id for each in attempts} == {span.span_id}


def test_an_unsampled_traceparent_makes_no_trace(http: httpx.Client, collector: Collector) -> None:
    job = submit(http, f"00-{TRACE}-{CALLER}-00", model_name="unseen")
    after = submit(http, f"00-{TRACE}-{CALLER}-01", model_name="seen")
    until(lambda: collector.named("job", after["id"]))  # earlier spans have been sent, too
    assert all(not collector.named(name, job["id"]) for name in ("POST /v1/training-jobs", "job", "attempt", *STAGES))


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01", "é" * 99])
def test_an_invalid_traceparent_starts_a_new_trace(http: httpx.Client, collector: Collector, given: str) -> None:
    path = f"/v1/models/nobody-{abs(hash(given))}"
    http.get(path, headers={b"traceparent": given.encode()})
    found = lambda: [span for span in list(collector.spans) if attributes(span).get("url.path") == path]  # noqa: E731
    span = the(until(found))
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE


def test_a_prediction_has_a_span_with_its_stages(http: httpx.Client, collector: Collector) -> None:
    train(http, "predicted", training={"epochs": 0})
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    path = "/v1/models/predicted/versions/1/predictions"
    answer = http.post(path, json={"instances": [[0.5]]}, headers=headers)
    assert answer.status_code == 200, answer.text
    span = the(until(lambda: collector.named("POST /v1/models/{name}/versions/{version}/predictions")))
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    stages = {
        name: attributes(span)[f"modelwright.prediction.{name}_seconds"]
        for name in ("parse", "queue", "forward", "render")
    }
    assert all(isinstance(each, float) and 0 < each < took for each in stages.values())
    assert attributes(span)["http.response.status_code"] == 200


def test_log_lines_name_their_trace(http: httpx.Client, traced: Server) -> None:
    http.get("/v1/models/not-there", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    line = until(lambda: re.search(r".*/v1/models/not-there.*", traced.log()))[0]
    assert f'"trace_id":"{TRACE}"' in line


@pytest.mark.parametrize("listens", [True, pytest.param(False, marks=pytest.mark.nightly)])
def test_an_unavailable_collector_delays_no_request(tmp_path: Path, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if not listens:
            silent.close()
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "20",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }
        with Server(tmp_path / "home", environment=environment) as server, server.http_client() as http:
            assert [http.get("/livez").status_code for _ in range(200)] == [200] * 200
            assert train(http, "line")["status"] == "succeeded"
            until(lambda: LOOK in server.log())
            assert [http.get("/livez").status_code for _ in range(200)] == [200] * 200
            began = time.monotonic()
        assert time.monotonic() - began < 28  # a single retry of the SDK takes 30
    assert server.log().count(LOOK) == 1
    assert "opentelemetry" not in server.log()
    assert '"level":"error"' not in server.log(), server.log()


def test_without_an_endpoint_opentelemetry_is_not_imported(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what a process has mapped")
    assert "google/_upb" not in maps.read_text()  # protobuf, which the exporter needs
