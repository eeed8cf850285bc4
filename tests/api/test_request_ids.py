"""Every response has a request id, and so has every problem document."""

import re

import httpx
import pytest

from tests.api.test_edge import problem

MADE = re.compile(r"[0-9a-f]{16}")


def test_a_request_id_is_generated(http: httpx.Client) -> None:
    ids = [http.get("/livez").headers["Request-Id"] for _ in range(20)]
    assert len(set(ids)) == 20 and all(MADE.fullmatch(each) for each in ids)


@pytest.mark.parametrize("name", ["Request-Id", "X-Request-Id"])
@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "a" * 128, "{}:/?#[]@!$&'()*+,;=~\"\\"])
def test_a_request_id_of_the_client_is_kept(http: httpx.Client, name: str, given: str) -> None:
    for path in ("/livez", "/v1/models/nobody", "/v1/models/nobody/predictions?x=1", "/nothing", "/openapi.json"):
        assert http.get(path, headers={name: given}).headers["Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "a\tb", "é", "a" * 50_000])
def test_an_invalid_request_id_is_replaced(http: httpx.Client, given: str) -> None:
    answer = http.get("/livez", headers={b"Request-Id": given.encode("latin-1")})
    assert answer.status_code == 400 or MADE.fullmatch(answer.headers["Request-Id"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/nobody"),
        ("GET", "/v1/models/nobody/predictions?x=1"),
        ("POST", "/v1/models/nobody/predictions"),
        ("POST", "/v1/training-jobs"),
        ("PUT", "/v1/datasets/.."),
        ("GET", "/v1/models?limit=0"),
        ("GET", "/nothing"),
        ("PATCH", "/v1/models"),
    ],
)
def test_problems_name_the_request_id(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path, headers={"X-Request-Id": "abc-1"})
    assert problem(answer)[0] >= 400
    assert answer.json()["request_id"] == answer.headers["Request-Id"] == "abc-1"


def test_the_first_of_two_names_counts(http: httpx.Client) -> None:
    given = {"X-Request-Id": "second", "Request-Id": "first"}
    assert http.get("/livez", headers=given).headers["Request-Id"] == "first"
