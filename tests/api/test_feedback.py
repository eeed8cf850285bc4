"""The log of predictions, feedback on them and live metrics over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.api.conftest import train
from tests.api.raw_requests import OVER_ASGI
from tests.api.test_edge import problem
from tests.harness.server import Server
from tests.harness.until import until

TRUTHS = {"a": "b", "b": "a"}


def records() -> list[dict[str, Any]]:
    """Rows of two classes that `x` tells apart, with a word, a truth value and a day."""
    return [
        {"x": at / 10, "word": "odd" if at % 2 else "even", "on": at % 3 == 0, "day": f"2026-01-{at % 28 + 1:02}"}
        | {"y": "b" if at > 60 else "a"}
        for at in range(120)
    ]


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps all predictions."""
    with Server(tmp_path_factory.mktemp("logging") / "home", spare=False, prediction_log=1) as started:
        data = {"kind": "rows", "records": records(), "target": "y"}
        train(started.http, "classes", data=data, model=None, loss=None, training={"epochs": 30})
        train(started.http, "line", training={"epochs": 0})
        yield started
    assert '"level":"error"' not in started.log(), started.log()


def predict(http: httpx.Client, model: str, rows: list[Any], request: str, **headers: str) -> list[Any]:
    answer = http.post(
        f"/v1/models/{model}/predictions", json={"instances": rows}, headers={"Request-Id": request, **headers}
    )
    assert answer.status_code == 200, answer.text
    predictions: list[Any] = answer.json()["predictions"]
    return predictions


def give(http: httpx.Client, model: str, *feedback: dict[str, Any]) -> httpx.Response:
    return http.post(f"/v1/models/{model}/feedback", json={"feedback": list(feedback)})


def logged(server: Server, model: str) -> pl.DataFrame:
    """What is in the log of a model's first version."""
    frame = pl.read_parquet(sorted((server.home / "predictions" / model / "1").glob("*.parquet")))
    return frame.sort("request_id", "row")


@pytest.mark.parametrize("over", [{}, OVER_ASGI], ids=["fast path", "ASGI"])
def test_rows_and_answers_are_logged_as_they_were(logging: Server, over: dict[str, str]) -> None:
    request = f"seen-{len(over)}"
    rows = [{key: value for key, value in each.items() if key != "y"} for each in records()[59:62]]
    rows.append({"x": None, "word": "never", "on": None, "day": None})
    answers = predict(logging.http, "classes", rows, request, **over)
    assert give(logging.http, "classes", {"request_id": request, "truth": "a"}).status_code == 200
    frame = logged(logging, "classes").filter(pl.col("request_id") == request)
    assert frame["row"].to_list() == [0, 1, 2, 3]
    assert set(frame["model"]) == {"classes"} and set(frame["version"]) == {1}
    assert frame["label"].to_list() == [each["label"] for each in answers]
    for kept, answer in zip(frame["answer"].to_list(), answers, strict=True):
        assert kept == pytest.approx(list(answer["probabilities"].values()), abs=1e-6)
    inputs = frame.unnest("inputs").select("x", "word", "on", "day").rows(named=True)
    for kept, row in zip(inputs[:3], rows[:3], strict=True):
        assert kept["x"] == pytest.approx(row["x"])
        assert (kept["word"], kept["on"]) == (row["word"], row["on"])
        assert kept["day"].strftime("%Y-%m-%d") == row["day"]
    assert inputs[3] == {"x": None, "word": None, "on": None, "day": None}


def test_a_stream_is_logged_by_its_rows(logging: Server) -> None:
    lines = "".join(f"[{at / 10}]\n" for at in range(30))
    headers = {"Content-Type": "application/x-ndjson", "Request-Id": "stream"}
    assert logging.http.post("/v1/models/line/predictions", content=lines, headers=headers).status_code == 200
    truths = [{"request_id": "stream", "row": at, "truth": at} for at in (0, 29)]
    assert give(logging.http, "line", *truths).json() == {"kept": 2, "versions": {"1": 2}}
    assert problem(give(logging.http, "line", {"request_id": "stream", "row": 30, "truth": 1})) == (
        422,
        "invalid_request",
    )


def test_live_accuracy_is_that_of_the_truths(logging: Server) -> None:
    http, path = logging.http, "/v1/models/classes/live-metrics"
    rows = [{key: value for key, value in each.items() if key != "y"} for each in records()]
    answers = [each["label"] for each in predict(http, "classes", rows, "all")]
    before = http.get(path).json()["rows"]
    truths = [
        {"request_id": "all", "row": at, "truth": answers[at] if at % 4 else TRUTHS[answers[at]]} for at in range(19)
    ]
    assert give(http, "classes", *truths[: 19 - before]).status_code == 200
    few = http.get(path).json()
    assert (few["rows"], few["enough"], few["needed"], few["live"]) == (19, False, 20, None)
    truths = [
        {"request_id": "all", "row": at, "truth": answers[at] if at % 4 else TRUTHS[answers[at]]} for at in range(100)
    ]
    for _ in range(2):  # the same again counts once
        assert give(http, "classes", *truths).json() == {"kept": 100, "versions": {"1": 100}}
    enough = http.get(path, params={"version": "latest", "hours": 1}).json()
    assert (enough["rows"], enough["enough"], enough["complete"]) == (100 + before, True, True)
    assert enough["live"]["accuracy"] * enough["rows"] == pytest.approx(75 + before, abs=before)
    assert enough["live"].keys() == http.get("/v1/models/classes/versions/1").json()["metrics"]["test"].keys()
    corrected = [{**each, "truth": answers[at]} for at, each in enumerate(truths)]
    give(http, "classes", *corrected)
    assert http.get(path).json()["live"]["accuracy"] * enough["rows"] == pytest.approx(100 + before, abs=before)


BAD: list[tuple[Any, str]] = [
    ({}, ""),
    ([], ""),
    ({"request_id": "bad", "truth": "a", "rows": 1}, ""),
    ({"request_id": 5, "truth": "a"}, "/request_id"),
    ({"request_id": "", "truth": "a"}, "/request_id"),
    ({"request_id": "bad", "row": -1, "truth": "a"}, "/row"),
    ({"request_id": "bad", "row": True, "truth": "a"}, "/row"),
    ({"request_id": "bad", "row": 1, "truth": "a"}, "/row"),
    ({"request_id": "bad", "truth": "c"}, "/truth"),
    ({"request_id": "bad", "truth": None}, "/truth"),
    ({"request_id": "bad", "truth": ["a"]}, "/truth"),
    ({"feedback": []}, "/feedback"),
    ({"feedback": [{"request_id": "bad", "truth": "a"}] * 1001}, "/feedback"),
    ({"feedback": [{"request_id": "bad", "truth": "a"}, {"request_id": "bad", "truth": 1}]}, "/feedback/1/truth"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_feedback_that_does_not_fit_is_refused(logging: Server, body: Any, pointer: str) -> None:
    row = {"x": 1, "word": "odd", "on": True, "day": "2026-01-01"}
    predict(logging.http, "classes", [row], "bad")
    before = logging.http.get("/v1/models/classes/live-metrics").json()["rows"]
    refused = logging.http.post("/v1/models/classes/feedback", json=body)
    assert problem(refused) == (422, "invalid_request"), refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert logging.http.get("/v1/models/classes/live-metrics").json()["rows"] == before


@pytest.mark.parametrize("truth", [True, "1", None, [1.0]])
def test_the_truth_of_a_regression_is_a_number(logging: Server, truth: Any) -> None:
    predict(logging.http, "line", [[0.5]], "number")
    assert problem(give(logging.http, "line", {"request_id": "number", "truth": truth})) == (422, "invalid_request")


def test_what_was_not_logged_is_not_known(logging: Server) -> None:
    http = logging.http
    predict(http, "line", [[0.5]], "known")
    refused = give(http, "line", {"request_id": "known", "truth": 1}, {"request_id": "guessed", "truth": 1})
    assert problem(refused) == (404, "prediction_not_found")
    assert refused.json()["errors"][0]["pointer"] == "/feedback/1/request_id"
    assert problem(give(http, "classes", {"request_id": "known", "truth": "a"})) == (404, "prediction_not_found")
    assert problem(give(http, "nobody", {"request_id": "known", "truth": 1})) == (404, "model_not_found")


def test_without_the_log_feedback_is_refused(http: httpx.Client, line: dict[str, Any]) -> None:
    refused = give(http, "line", {"request_id": "any", "truth": 1})
    assert problem(refused) == (409, "prediction_log_off")
    assert "MODELWRIGHT_PREDICTION_LOG" in refused.json()["detail"]
    live = http.get("/v1/models/line/live-metrics").json()
    assert (live["rows"], live["live"]) == (0, None)


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "2161", "soon"])
def test_bad_hours_are_refused(http: httpx.Client, line: dict[str, Any], hours: str) -> None:
    assert problem(http.get(f"/v1/models/line/live-metrics?hours={hours}")) == (422, "invalid_request")


def test_only_the_owner_can_read_the_log_and_a_deleted_model_has_none(logging: Server) -> None:
    train(logging.http, "gone", training={"epochs": 0})
    predict(logging.http, "gone", [[0.5]], "gone")
    assert give(logging.http, "gone", {"request_id": "gone", "truth": 1}).status_code == 200
    folder = logging.home / "predictions" / "gone"
    kept = [folder.parent, folder, *folder.rglob("*")]
    assert {path.suffix for path in kept if path.is_file()} == {".parquet", ".sqlite"}
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}
    assert logging.http.delete("/v1/models/gone").status_code == 204
    assert not list(folder.glob("*"))


def test_what_was_answered_with_feedback_survives_a_kill(tmp_path: Path) -> None:
    with Server(tmp_path / "home", prediction_log=1) as server:
        train(server.http, "line", training={"epochs": 0})
        for at in range(25):
            predict(server.http, "line", [[at / 25]], f"r{at}")
        truths = [{"request_id": f"r{at}", "truth": at} for at in range(25)]
        assert give(server.http, "line", *truths).status_code == 200
        server.kill()
        server.end()
        server.start()
        live = server.http.get("/v1/models/line/live-metrics").json()
        assert (live["rows"], live["enough"]) == (25, True)
        assert give(server.http, "line", *truths).status_code == 200  # the rows are still known
        text = server.http.get("/metrics").text
        assert "modelwright_logged_rows_total" in text and "modelwright_logged_rows_dropped_total 0.0" in text


def test_a_worker_knows_what_another_has_answered(tmp_path: Path) -> None:
    with Server(tmp_path / "home", prediction_log=1, workers=2, slots=1) as server:
        train(server.http, "line", training={"epochs": 0})
        for at in range(12):
            with server.http_client() as one, server.http_client() as other:
                predict(one, "line", [[at / 12]], f"r{at}")
                assert give(other, "line", {"request_id": f"r{at}", "truth": 1}).status_code == 200
        rows = until(lambda: [server.http.get("/v1/models/line/live-metrics").json()["rows"]])
        assert rows == [12]
