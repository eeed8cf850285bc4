"""SageMaker's container contract and MLflow's payloads, for the default model of the settings."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.conftest import train
from tests.api.dialects.conftest import rows, table
from tests.harness.server import Server
from tests.harness.until import until

ROWS = [[1.0, 0.5], [2.0, 1.0], [7.0, 2.0]]
NAMES = ["a", "b"]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
MISSING = {"a": float, "b": lambda i: i % 5 / 2}


@pytest.fixture(scope="module")
def named(configured: Server) -> Iterator[httpx.Client]:
    """A service whose default model is version 1 of `chosen`; version 2 gives other predictions."""
    with configured.http_client() as client:
        assert client.get("/ping").status_code == 503  # not trained yet
        spec = table(rows(**MISSING, y=lambda i: 2.5 * i), "y")
        for seed in (1, 2):
            train(client, "chosen", **spec | {"training": {"epochs": 0, "seed": seed}})
        until(lambda: client.get("/ping").status_code == 200)
        yield client


@pytest.fixture(scope="module")
def wanted(named: httpx.Client) -> list[float]:
    """The predictions of the native API."""
    answer = named.post("/v1/models/chosen/versions/1/predictions", json={"instances": ROWS})
    predictions: list[float] = answer.json()["predictions"]
    return predictions


@pytest.mark.parametrize(
    "payload",
    [
        {"dataframe_split": {"columns": NAMES, "data": ROWS}},
        {"dataframe_split": {"columns": ["b", "a"], "index": [0, 1, 2], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_split": {"data": ROWS}},
        {"dataframe_records": RECORDS},
        {"instances": ROWS},
        {"instances": RECORDS},
        {"instances": ROWS, "params": None},
        {"inputs": ROWS},
        {"inputs": {"a": [row[0] for row in ROWS], "b": [row[1] for row in ROWS]}},
        {"inputs": {"a": [[row[0]] for row in ROWS], "b": [[row[1]] for row in ROWS]}, "params": {}},
    ],
    ids=lambda each: json.dumps(each)[:60],
)
def test_payloads_of_mlflow(named: httpx.Client, wanted: list[float], payload: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Amzn-SageMaker-Custom-Attributes": "any"}
    answer = named.post("/invocations", content=json.dumps(payload), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"predictions": wanted})
    assert answer.headers["Model-Version"] == "1"


@pytest.mark.parametrize("kind", ["text/csv", "application/csv"])
@pytest.mark.parametrize("header", ["a,b\n", '"b","a"\n', "\ufeffa,b\r\n", ""])
def test_csv_with_and_without_a_header(named: httpx.Client, wanted: list[float], kind: str, header: str) -> None:
    given = [row[::-1] for row in ROWS] if header.startswith('"b"') else ROWS
    body = header + "".join(f"{first},{second}\n" for first, second in given)
    answer = named.post("/invocations", content=body.encode(), headers={"Content-Type": kind})
    assert answer.json() == {"predictions": wanted}


def test_other_formats_in_and_out(named: httpx.Client, wanted: list[float]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    for kind in ("application/jsonlines", "application/x-ndjson"):
        assert named.post("/invocations", content=lines, headers={"Content-Type": kind}).json()["predictions"] == wanted
    answer = named.post("/invocations", json={"instances": ROWS}, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert np.allclose([float(each) for each in answer.text.split()[1:]], wanted)


@pytest.mark.parametrize(
    "payload",
    [
        [ROWS],
        None,
        {},
        {"instances": ROWS, "inputs": ROWS},
        {"signature_name": "serving_default", "instances": ROWS},
        {"instances": ROWS, "params": {"temperature": 1}},
        {"instances": ROWS, "params": 0},
        {"dataframe_split": ROWS},
        {"dataframe_split": {"columns": NAMES}},
        {"dataframe_split": {"columns": NAMES, "data": ROWS, "more": 1}},
        {"dataframe_split": {"columns": ["a", "a"], "data": ROWS}},
        {"dataframe_split": {"columns": "ab", "data": ROWS}},
        {"dataframe_split": {"columns": NAMES, "data": [[1]]}},
        {"dataframe_split": {"columns": NAMES, "data": [1]}},
        {"dataframe_split": {"columns": NAMES, "data": []}},
        {"dataframe_split": {"columns": ["a", "c"], "data": ROWS}},
        {"dataframe_records": {"a": 1}},
        {"dataframe_records": [1]},
        {"messages": []},
    ],
    ids=lambda each: json.dumps(each)[:60],
)
def test_inconsistent_requests_are_refused(named: httpx.Client, payload: Any) -> None:
    refused(named.post("/invocations", json=payload), 400)


def refused(answer: httpx.Response, status: int) -> None:
    """Asserts an error in MLflow's form."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error_code", "message"} and answer.json()["message"]


def test_errors_have_the_form_of_this_protocol(named: httpx.Client) -> None:
    for kind in ("application/json; charset=latin-1", "application/pdf", "text/csv; charset=utf-16"):
        refused(named.post("/invocations", content=b"{}", headers={"Content-Type": kind}), 415)
    refused(named.post("/invocations", content=b"a,b\n1", headers={"Content-Type": "text/csv"}), 400)
    refused(named.post("/invocations", content=b"", headers={"Content-Type": "text/csv"}), 400)
    refused(named.post("/invocations", json={"instances": ROWS}, headers={"Accept": "image/png"}), 406)
    refused(named.post("/invocations", json={"instances": ROWS}, headers={"Request-Timeout": "0"}), 504)
    refused(named.get("/invocations"), 405)


def test_without_a_default_model(http: httpx.Client) -> None:
    assert (http.get("/ping").status_code, http.head("/ping").status_code) == (200, 200)
    refused(http.post("/invocations", json={"instances": ROWS}), 404)
