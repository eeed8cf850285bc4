"""Predictions of models with texts, alone and beside a column of a table, in every format of a request."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import orjson
import polars as pl
import pytest

from tests.api.conftest import ended

GOOD, BAD = "what a lovely film, I liked it", "an awful film, I hated it"
TEXTS = [f"{GOOD if at % 2 else BAD} {at}" for at in range(40)]
JSON = "application/json"
SHORT = {"epochs": 3, "seed": 0}


def train(http: httpx.Client, name: str, features: dict[str, Any]) -> str:
    """The path of the predictions of a model of `liked`."""
    rows = [{"review": text, "age": at, "liked": "yes" if at % 2 else "no"} for at, text in enumerate(TEXTS)]
    data = {"kind": "rows", "records": rows, "target": "liked", "features": features}
    accepted = http.post("/v1/training-jobs", json={"model_name": name, "data": data, "training": SHORT})
    assert accepted.status_code == 202, accepted.text
    assert ended(http, accepted.json()["id"])["status"] == "succeeded"
    return f"/v1/models/{name}/predictions"


@pytest.fixture(scope="module")
def reviews(http: httpx.Client) -> str:
    """The path of the predictions of a model of one text."""
    return train(http, "reviews", {"review": {"type": "text"}})


@pytest.fixture(scope="module")
def aged(http: httpx.Client) -> str:
    """The path of the predictions of a model of a text and a number."""
    return train(http, "aged", {"review": {"type": "text"}, "age": {"type": "number"}})


def answers(response: httpx.Response) -> list[float]:
    """The probability of `yes` of each row."""
    assert response.status_code == 200, response.text
    return [each["probabilities"]["yes"] for each in response.json()["predictions"]]


def post(http: httpx.Client, path: str, content: bytes, media_type: str) -> httpx.Response:
    return http.post(path, content=content, headers={"Content-Type": media_type, "Accept": JSON})


def table(write: str) -> bytes:
    file = io.BytesIO()
    getattr(pl.DataFrame({"review": [GOOD, BAD]}), write)(file)
    return file.getvalue()


def in_json(sent: Any) -> tuple[bytes, str]:
    return orjson.dumps(sent), JSON


OF_JSON: dict[str, Any] = {
    "bare": {"instances": [GOOD, BAD]},
    "lists": {"instances": [[GOOD], [BAD]]},
    "objects": {"instances": [{"review": GOOD}, {"review": BAD}]},
    "list": [GOOD, BAD],
    "columns": {"inputs": {"review": [GOOD, BAD]}},
    "b64": {"instances": [{"b64": "d2hhdCBhIGxvdmVseSBmaWxtLCBJIGxpa2VkIGl0"}, BAD]},
}
BODIES: dict[str, Callable[[], tuple[bytes, str]]] = {
    **{name: partial(in_json, sent) for name, sent in OF_JSON.items()},
    "lines": lambda: (b"\n".join(map(orjson.dumps, [GOOD, [BAD]])), "application/x-ndjson"),
    "csv": lambda: (f'review\n"{GOOD}"\n"{BAD}"\n'.encode(), "text/csv"),
    "parquet": lambda: (table("write_parquet"), "application/vnd.apache.parquet"),
    "arrow": lambda: (table("write_ipc"), "application/vnd.apache.arrow.file"),
}


@pytest.mark.parametrize("form", BODIES)
def test_every_form_gives_the_same(http: httpx.Client, reviews: str, form: str) -> None:
    wanted = [answers(post(http, reviews, text.encode(), "text/plain; charset=utf-8"))[0] for text in (GOOD, BAD)]
    assert wanted[0] > wanted[1] + 0.001
    assert answers(post(http, reviews, *BODIES[form]())) == pytest.approx(wanted, abs=1e-5)
    assert answers(http.get(reviews, params={"review": [GOOD, BAD]})) == pytest.approx(wanted, abs=1e-5)
    parts: Any = [("review", (None, GOOD)), ("review", ("review.txt", BAD.encode()))]
    assert answers(http.post(reviews, files=parts)) == pytest.approx(wanted, abs=1e-5)


def test_a_text_beside_a_number(http: httpx.Client, aged: str) -> None:
    wanted = answers(http.post(aged, json={"instances": [[GOOD, 3], {"age": None, "review": BAD}]}))
    assert answers(http.get(aged, params={"review": [GOOD, BAD], "age": ["3", ""]})) == pytest.approx(wanted, abs=1e-5)
    assert answers(post(http, aged, f'age,review\n3,"{GOOD}"\n,{BAD.replace(",", "")}\n'.encode(), "text/csv"))[
        0
    ] == pytest.approx(wanted[0], abs=1e-5)
    assert answers(http.post(aged, files=[("age", (None, "3")), ("review", (None, GOOD))])) == pytest.approx(
        wanted[:1], abs=1e-5
    )
    refused = post(http, aged, GOOD.encode(), "text/plain")
    assert (refused.status_code, "review (text), age (number)" in refused.text) == (415, True)
    refused = http.post(aged, json={"instances": [[GOOD, "old"], ["x", 1]]})
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/instances/0/1"]


def test_tensors_of_texts(http: httpx.Client, reviews: str, aged: str) -> None:
    wanted = answers(http.post(reviews, json={"instances": [GOOD, BAD]}))
    described = http.get("/v2/models/aged").json()["inputs"]
    assert described[0] == {"name": "review", "datatype": "BYTES", "shape": [-1]}
    sent = {"name": "review", "datatype": "BYTES", "shape": [2], "data": [GOOD, BAD]}
    answer = http.post("/v2/models/reviews/infer", json={"inputs": [sent]})
    assert answer.json()["outputs"][1]["data"][1::2] == pytest.approx(wanted, abs=1e-5)
    both = [{**sent, "shape": [2, 1]}, {"name": "age", "datatype": "FP32", "shape": [2, 1], "data": [1, 2]}]
    assert http.post("/v2/models/aged/infer", json={"inputs": both}).status_code == 200
    answer = http.post("/v1/models/reviews:predict", json={"instances": [GOOD, [BAD]]})
    assert [each["probabilities"][1] for each in answer.json()["predictions"]] == pytest.approx(wanted, abs=1e-5)


UNUSUAL = {
    "empty": "",
    "missing": None,
    "NUL": "a\0b",
    "right to left": "שלום עולם",
    "only emoji": "🙂🙃👩‍👩‍👧",
    "a number": 3,
    "one word of 1,000,000 letters": "a" * 1_000_000,
    "not normalised": "e\u0301" * 100,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_texts_are_read(http: httpx.Client, reviews: str, name: str) -> None:
    assert len(answers(http.post(reviews, json={"instances": [UNUSUAL[name], GOOD]}))) == 2


@pytest.mark.parametrize(
    ("body", "media_type", "status", "what"),
    [
        (orjson.dumps({"instances": ["a" * 10_000_000]}), JSON, 422, "/instances/0: has 10,000,000 characters"),
        (b"a" * 10_000_000, "text/plain", 422, "has 10,000,000 characters; at most 1,048,576 are taken"),
        (b'{"instances": ["\\ud800"]}', JSON, 400, "invalid_json"),
        (b"\xff\xfe", "text/plain", 422, "is not UTF-8"),
        (b"\xed\xa0\x80", "text/plain", 422, "is not UTF-8"),  # a lone surrogate
        (b"x", "text/plain; charset=utf-16", 415, "utf-8"),
        (b'{"instances": [["a", "b"]]}', JSON, 422, "/instances/0: expected a text, not a list"),
        (b'{"instances": [{"review": ["a", "b"]}]}', JSON, 422, "/instances/0/review: expected a text, not a list"),
        (b'{"instances": [{"review": {"a": 1}}]}', JSON, 422, "/instances/0/review: expected a text, not an object"),
        (b'{"instances": [{"b64": "//4="}]}', JSON, 422, "/instances/0: is not UTF-8"),
        (b'{"instances": [{"text": "a"}]}', JSON, 422, "/instances/0/text: is no input"),
        (b"GIF89a", "image/gif", 415, "send text/plain, application/json or multipart/form-data"),
    ],
)
def test_hostile_texts_are_refused(
    http: httpx.Client, reviews: str, body: bytes, media_type: str, status: int, what: str
) -> None:
    refused = post(http, reviews, body, media_type)
    assert (refused.status_code, what in refused.text) == (status, True), refused.text[:1000]
    assert len(answers(http.post(reviews, json={"instances": [GOOD]}))) == 1
