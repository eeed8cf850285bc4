"""Predictions during changes: moving aliases, an unavailable store, damage, deadlines, overload."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_store import Store
from tests.api.conftest import train
from tests.harness.server import Server
from tests.harness.until import until

FLIPS = 100
ROWS = {"instances": [[0.5]]}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that computes every prediction in one thread, with a queue of two."""
    home = tmp_path_factory.mktemp("heavy") / "home"
    with Server(home, light_predictions=0, waiting_predictions=2) as server, server.http_client() as http:
        records = [{**{f"x{i}": float(i + row) for i in range(4)}, "y": float(row)} for row in range(20)]
        wide = {"kind": "mlp", "hidden": [2048, 2048]}
        data = {"kind": "rows", "records": records, "target": "y", "task": "regression"}
        train(http, "wide", data=data, model=wide, training={"epochs": 0})
        yield server


def test_answers_match_their_version_while_an_alias_moves(http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0, "seed": 1})
    path = f"/v1/models/{model}"
    http.put(f"{path}/aliases/live", json={"version": 1})
    truth = {str(n): http.get(f"{path}/versions/{n}/predictions?x=0.5").json()["predictions"] for n in (1, 2)}
    assert truth["1"] != truth["2"]
    wrong: list[Any] = []
    counts = [0, 0]
    over = threading.Event()

    def predict_repeatedly(which: int) -> None:
        with httpx.Client(base_url=http.base_url, trust_env=False, timeout=60) as client:
            while not over.is_set():
                answer = client.post(f"{path}/versions/live/predictions", json=ROWS)
                counts[which] += 1
                if answer.status_code != 200 or answer.json()["predictions"] != truth[answer.headers["Model-Version"]]:
                    wrong.append(answer.text)

    threads = [threading.Thread(target=predict_repeatedly, args=(which,)) for which in (0, 1)]
    for each in threads:
        each.start()
    try:
        for flip in range(FLIPS):
            number = 2 - flip % 2
            assert http.put(f"{path}/aliases/live", json={"version": number}).status_code == 200
            now = http.post(f"{path}/versions/live/predictions", json=ROWS)
            assert now.headers["Model-Version"] == str(number)  # this process sees it at once
    finally:
        over.set()
        for each in threads:
            each.join()
    assert not wrong and min(counts) > 0


def test_a_change_of_this_process_is_seen_at_once(http: httpx.Client, model: str) -> None:
    path = f"/v1/models/{model}"
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"
    train(http, model, training={"epochs": 0, "seed": 1})
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "2"
    http.put(f"{path}/aliases/production", json={"version": 1})
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"
    http.delete(f"{path}/aliases/production")
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "2"
    http.delete(f"{path}/versions/2")
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"
    assert http.post(f"{path}/versions/2/predictions", json=ROWS).json()["code"] == "version_not_found"
    http.delete(path)
    assert http.post(f"{path}/predictions", json=ROWS).json()["code"] == "model_not_found"


def test_a_damaged_version_is_refused_and_the_previous_one_still_served(
    server: Server, http: httpx.Client, model: str, tmp_path: Path
) -> None:
    """Another process publishes it, and this one finds it at its next check."""
    path = f"/v1/models/{model}"
    assert http.post(f"{path}/predictions", json=ROWS).status_code == 200
    models = Store.open(server.home / "store").models
    files = {}
    for name in models.get(model, 1).manifest["files"]:
        files[name] = tmp_path / name
        files[name].write_bytes(b"these are no tensors")
    manifest = {name: value for name, value in models.get(model, 1).manifest.items() if name != "files"}
    assert models.publish(model, manifest, files).number == 2
    over = time.monotonic() + 1.5
    while time.monotonic() < over:
        assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"
    answer = http.post(f"{path}/versions/2/predictions", json=ROWS)
    assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")
    assert http.post(f"{path}/predictions", json=ROWS).headers["Model-Version"] == "1"


def test_a_change_of_another_process_is_seen_within_a_second(server: Server, http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0, "seed": 1})
    path = f"/v1/models/{model}/predictions"
    assert http.post(path, json=ROWS).headers["Model-Version"] == "2"
    aliases = Store.open(server.home / "store").aliases
    for number in (1, 2, 1):
        aliases.set(model, "production", number)
        time.sleep(1)
        assert http.post(path, json=ROWS).headers["Model-Version"] == str(number)


def test_unknown_names_are_not_cached(http: httpx.Client) -> None:
    path = "/v1/models/comes-later/predictions"
    assert http.post(path, json=ROWS).status_code == 404
    train(http, "comes-later", training={"epochs": 0})
    assert http.post(path, json=ROWS).status_code == 200


@pytest.mark.parametrize("given", ["nan", "-1", "soon", "1_0", "inf", ""])
def test_an_invalid_deadline_is_refused(http: httpx.Client, line: dict[str, Any], given: str) -> None:
    answer = http.post("/v1/models/line/predictions", json=ROWS, headers={"Request-Timeout": given})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_an_expired_deadline_is_504(http: httpx.Client, line: dict[str, Any]) -> None:
    for seconds, status in (("0", 504), ("30", 200)):
        answer = http.post("/v1/models/line/predictions", json=ROWS, headers={"Request-Timeout": seconds})
        assert answer.status_code == status
    assert (
        http.get("/v1/models/line/predictions?x=1", headers={"Request-Timeout": "0"}).json()["code"]
        == "deadline_exceeded"
    )


def test_a_full_prediction_queue_is_refused_and_disconnects_free_places(heavy: Server) -> None:
    rows = {"instances": [[0.1] * 4] * 20_000}  # seconds of work for the thread
    host, port = heavy.url.removeprefix("http://").split(":")
    with heavy.http_client() as http:
        small = {"instances": [[0.1] * 4]}
        assert http.post("/v1/models/wide/predictions", json=small).status_code == 200
        request = http.build_request("POST", "/v1/models/wide/predictions", json=rows)
        head = f"POST /v1/models/wide/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(request.content)}\r\n\r\n"
        connections: list[socket.socket] = []

        def both_places_taken() -> bool:
            if "modelwright_predictions_waiting 2.0" in http.get("/metrics").text:
                return True
            connections.append(socket.create_connection((host, int(port))))
            connections[-1].sendall(head.encode() + request.content)
            return False

        until(both_places_taken)
        answer = http.post("/v1/models/wide/predictions", json=small, headers={"Request-Timeout": "5"})
        assert answer.status_code == 429
        assert answer.json()["code"] == "overloaded" and answer.headers["Retry-After"]
        assert http.get("/livez").status_code == 200
        assert "modelwright_predictions_waiting 0.0" not in http.get("/metrics").text  # the two still wait
        for each in connections:
            each.close()
        until(lambda: http.post("/v1/models/wide/predictions", json=small).status_code == 200)


def test_prediction_metrics(http: httpx.Client, line: dict[str, Any]) -> None:
    assert http.post("/v1/models/line/versions/1/predictions", json=ROWS).status_code == 200
    assert http.post("/v1/models/nobody/predictions", json=ROWS).status_code == 404
    answer = http.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    for stage in ("parse", "queue", "forward", "render"):
        assert f'modelwright_prediction_seconds_count{{model="line",stage="{stage}",version="1"}}' in answer.text
    assert 'modelwright_batch_rows_bucket{le="1.0",model="line",version="1"}' in answer.text
    assert 'modelwright_predictions_total{model="",status="404",version=""}' in answer.text
    assert "modelwright_warm_models " in answer.text and "nobody" not in answer.text


def test_metrics_of_deleted_models_are_removed(http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0, "seed": 1})
    path = f"/v1/models/{model}"
    for number in (1, 2):
        assert http.post(f"{path}/versions/{number}/predictions", json=ROWS).status_code == 200

    def versions() -> set[str]:
        lines = [line for line in http.get("/metrics").text.splitlines() if f'model="{model}"' in line]
        return {line.split('version="')[1].split('"')[0] for line in lines}

    assert versions() == {"1", "2"}
    http.delete(f"{path}/versions/2")
    assert versions() == {"1"}
    http.delete(path)
    assert versions() == set()
