"""Data sets over HTTP: uploads of every kind of bad file, and what is left of them."""

import hashlib
import socket
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import LINE, train
from tests.api.live_server import LiveServer, until

CSV = {"Content-Type": "text/csv"}


def test_a_data_set_is_versioned_by_its_bytes(http: httpx.Client, csv: Path) -> None:
    path, content = "/v1/datasets/versioned", csv.read_bytes()
    first = http.put(path, content=content, headers=CSV)
    assert (first.status_code, first.headers["Location"]) == (201, path)
    about = first.json()
    assert (about["version"], about["rows"], about["bytes"]) == (1, 40, len(content))
    assert about["digest"] == hashlib.sha256(content).hexdigest()
    assert [each["name"] for each in about["columns"]] == ["area", "rooms", "price"]
    again = http.put(path, content=content, headers=CSV)
    assert (again.status_code, again.json()) == (200, about)
    second = http.put(path, content=content + b"99,1,300\n", headers=CSV)
    assert (second.status_code, second.json()["version"], second.json()["rows"]) == (201, 2, 41)
    assert http.get(path).json() == second.json()
    listed = http.get(f"{path}/versions").json()
    assert [each["version"] for each in listed["data"]] == [2, 1]
    rows = http.get(f"{path}/rows", params={"limit": 2}).json()
    assert rows == {"data": [{"area": 50, "rooms": 0, "price": 100}, {"area": 51, "rooms": 1, "price": 103}],
                    "has_more": True}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"x,y\n",
        b"x,y",
        b"x,x\n1,2\n",
        b"x,\n1,2\n",
        b"x,y\n1,2,3\n",
        "x,y\n1,2\n".encode("utf-16"),
        b"x,y\n\xff\xfe,2\n",
        b"\xff,y\n1,2\n",
        b"x,y\n1,2\n\x00\n",
        b'"x\ny",z\n1,2\n',
        b"x,y\r1,2\r",
        b"x" * 200_000 + b",y\n1,2\n",
        b"PK\x03\x04" + b"\x00" * 100,
    ],
)
def test_what_is_no_table(server: LiveServer, http: httpx.Client, content: bytes) -> None:
    answer = http.put("/v1/datasets/no-table", content=content, headers=CSV)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data")
    assert str(server.home) not in answer.text and "tmp" not in answer.text
    assert http.get("/v1/datasets/no-table").status_code == 404
    until(lambda: server.temporary_files() == [])  # a job that has just ended may be about to go


@pytest.mark.parametrize("given", ["", "application/json", "application/octet-stream", "text/plain", "text/csv2"])
def test_another_type(http: httpx.Client, given: str) -> None:
    answer = http.put("/v1/datasets/typed", content=b"x,y\n1,2\n", headers={"Content-Type": given})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "text/csv" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["Houses", "a..b", "con", "-a", "a" * 65, "%20", "h%C3%A4user", "..%2fetc"])
def test_a_name_that_is_none(http: httpx.Client, name: str) -> None:
    answer = http.put(f"/v1/datasets/{name}", content=b"x,y\n1,2\n", headers=CSV)
    assert (answer.status_code, answer.json()["code"]) in {(422, "invalid_name"), (404, "not_found")}


def test_an_upload_that_breaks_off_leaves_nothing(server: LiveServer, http: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = "PUT /v1/datasets/broken-off HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n"
        connection.sendall(f"{head}\r\nx,y\n".encode() + b"1,2\n" * 50_000)
        until(lambda: server.temporary_files() != [])
    until(lambda: server.temporary_files() == [])
    assert http.get("/v1/datasets/broken-off").status_code == 404


def test_a_model_from_a_data_set_and_what_a_spec_may_not_name(http: httpx.Client, csv: Path) -> None:
    http.put("/v1/datasets/learned", content=csv.read_bytes(), headers=CSV)
    data = {"kind": "dataset", "dataset": "learned", "target": "price"}
    job = train(http, "priced", data=data, training={"epochs": 2, "batch_size": "full"})
    assert job["spec"]["data"]["version"] == 1
    for wrong, pointer in (
        ({"dataset": "lerned"}, "/data/dataset"),
        ({"version": 2}, "/data/version"),
        ({"version": 10**30}, "/data/version"),
        ({"target": "prize"}, "/data/target"),
        ({"features": ["arena"]}, "/data/features/0"),
    ):
        answer = http.post("/v1/training-jobs", json={**LINE, "model_name": "wrong", "data": {**data, **wrong}})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer], answer.text


def test_a_deleted_data_set_is_gone(http: httpx.Client, csv: Path) -> None:
    path = "/v1/datasets/deleted"
    http.put(path, content=csv.read_bytes(), headers=CSV)
    assert http.delete(path).status_code == 204
    for answer in (http.get(path), http.delete(path), http.get(f"{path}/rows")):
        assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert http.put(path, content=csv.read_bytes(), headers=CSV).json()["version"] == 2
