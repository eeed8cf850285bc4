"""Predictions over HTTP: content negotiation, caching, choice of the version."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_damage import tensors
from tests.harness.server import Server

PATH = "/v1/models/line/versions/1/predictions"


def test_the_same_answer_by_rows_records_columns_and_query(http: httpx.Client, line: dict[str, Any]) -> None:
    answers = [
        http.post(PATH, json={"instances": [[0.5], [0.25]]}),
        http.post(PATH, json={"instances": [0.5, 0.25]}),
        http.post(PATH, json={"instances": [{"x": 0.5}, {"x": 0.25, "y": "the target's name is ignored"}]}),
        http.post(PATH, json={"inputs": {"x": [0.5, 0.25]}}),
        http.get(PATH, params={"x": ["0.5", "0.25"]}),
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["model_version"] == 1
    assert all((each.headers["Model-Name"], each.headers["Model-Version"]) == ("line", "1") for each in answers)


def test_answers_have_etags(http: httpx.Client, line: dict[str, Any]) -> None:
    answer = http.get(PATH, params={"x": "0.5"})
    etag = answer.headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"')
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        again = http.get(PATH, params={"x": "0.5"}, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert http.get(PATH, params={"x": "0.6"}, headers={"If-None-Match": etag}).status_code == 200


def test_the_etag_ignores_the_order_of_parameters(http: httpx.Client) -> None:
    records = [{"a": float(i % 7), "b": float(i % 3), "y": i % 7 - 2.0 * (i % 3)} for i in range(40)]
    train(http, "plane", data={"kind": "rows", "records": records, "target": "y", "task": "regression"})
    path = "/v1/models/plane/versions/1/predictions"

    def tag(query: str) -> str:
        answer = http.get(f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]

    assert tag("a=1&b=2&a=3&b=4") == tag("b=2&b=4&a=1&a=3")
    assert tag("a=1&b=2&a=3&b=4") != tag("a=3&b=2&a=1&b=4")
    assert tag("a=1&b=2") != tag("a=2&b=1")


def test_cache_control_of_answers(http: httpx.Client, model: str) -> None:
    http.put(f"/v1/models/{model}/aliases/blue", json={"version": 1})

    def cache_control(path: str) -> str:
        return http.get(f"/v1/models/{model}/{path}predictions?x=1").headers["Cache-Control"]

    assert "immutable" in cache_control("versions/1/")
    assert {cache_control(path) for path in ("versions/blue/", "versions/latest/", "")} == {"no-cache"}


def test_a_matching_etag_needs_no_model(server: Server, http: httpx.Client, model: str) -> None:
    """Without the weights, a conditional request is still answered with 304, and a new prediction fails."""
    path = f"/v1/models/{model}/versions/1/predictions"
    (weights,) = tensors(server, model)
    away = Path(f"{weights}.away")
    weights.rename(away)
    try:
        broken = http.get(path, params={"x": 1})
        assert (broken.status_code, broken.json()["code"]) == (503, "version_corrupt")
        assert broken.headers["Retry-After"]
    finally:
        away.rename(weights)
    etag = http.get(path, params={"x": 1}).headers["ETag"]
    assert http.get(path, params={"x": 1}, headers={"If-None-Match": etag}).status_code == 304


def test_production_is_the_default_version(http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0, "seed": 1})
    path = f"/v1/models/{model}/predictions"
    assert http.get(path, params={"x": 1}).headers["Model-Version"] == "2"
    http.put(f"/v1/models/{model}/aliases/production", json={"version": 1})
    assert http.get(path, params={"x": 1}).headers["Model-Version"] == "1"
    assert http.post(path, json={"instances": [1]}).headers["Model-Version"] == "1"
    assert http.get(f"/v1/models/{model}/versions/latest/predictions?x=1").headers["Model-Version"] == "2"


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/*;q=0.1", "text/html, */*;q=0.5"])
def test_accept_headers_that_allow_json(http: httpx.Client, line: dict[str, Any], accept: str) -> None:
    assert http.get(PATH, params={"x": 1}, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*", "nonsense"])
def test_accept_headers_that_exclude_json_are_406(http: httpx.Client, line: dict[str, Any], accept: str) -> None:
    for answer in (
        http.get(PATH, params={"x": 1}, headers={"Accept": accept}),
        http.post(PATH, json={"instances": [1]}, headers={"Accept": accept}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("x=1&x=a", "/x/1"),
        ("x=1_000", "/x/0"),
        ("x=%D9%A3", "/x/0"),
        ("x=nan", "/x/0"),
        ("x=1e39", "/x/0"),
        ("x=", "/x/0"),
        ("y=1", "/x"),
        ("x=1&z=1", "/z"),
        ("", "/x"),
    ],
)
def test_a_wrong_query(http: httpx.Client, line: dict[str, Any], query: str, pointer: str) -> None:
    answer = http.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_value_that_is_missing_where_none_was_in_training(http: httpx.Client, line: dict[str, Any]) -> None:
    bodies: dict[str, Any] = {
        "/instances/1": {"instances": [1, None]},
        "/instances/1/0": {"instances": [[1], [None]]},
        "/instances/1/x": {"instances": [{"x": 1}, {"x": None}]},
        "/inputs/x/1": {"inputs": {"x": [1, None]}},
    }
    for pointer, body in bodies.items():
        answer = http.post(PATH, json=body)
        assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])
