"""Models, versions and aliases over HTTP."""

import hashlib
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.harness.server import Server


def test_models_are_listed_by_name_in_pages(http: httpx.Client, line: dict[str, Any]) -> None:
    for name in ("zz-1", "zz-2", "zz-3"):
        train(http, name, training={"epochs": 0})
    first = http.get("/v1/models", params={"after": "zz", "limit": 2}).json()
    assert ([each["name"] for each in first["data"]], first["has_more"]) == (["zz-1", "zz-2"], True)
    assert first["models"] == ["zz-1", "zz-2"]
    second = http.get("/v1/models", params={"after": "zz-2", "limit": 2}).json()
    assert ([each["name"] for each in second["data"]], second["has_more"]) == (["zz-3"], False)


def test_versions_are_listed_newest_first_in_pages(http: httpx.Client, model: str) -> None:
    for _ in range(2):
        train(http, model, training={"epochs": 0})
    path = f"/v1/models/{model}/versions"
    first, second = http.get(path, params={"limit": 2}).json(), http.get(path, params={"limit": 2, "after": 2}).json()
    assert ([each["version"] for each in first["data"]], first["has_more"]) == ([3, 2], True)
    assert ([each["version"] for each in second["data"]], second["has_more"]) == ([1], False)
    assert http.get(f"/v1/models/{model}").json()["latest"] == 3


def test_a_version_shows_its_manifest(http: httpx.Client, line: dict[str, Any]) -> None:
    manifest = http.get("/v1/models/line/versions/1").json()
    assert manifest["job"] == line["id"]
    assert manifest["signature"]["inputs"] == [{"name": "x", "type": "number"}]
    parameters = http.get("/v1/models/line/versions/1/parameters").json()
    assert (parameters["total"], parameters["trainable"]) == (2, 2)
    assert [each["name"] for each in parameters["parameters"]] == ["weight", "bias"]
    state_dict = http.get("/v1/models/line/versions/1/state_dict").json()
    assert list(state_dict) == ["weight", "bias"]
    assert parameters["parameters"][0]["mean"] == pytest.approx(state_dict["weight"][0])
    one = http.get("/v1/models/line/versions/1/state_dict", params={"name": "bias"}).json()
    assert one == {"bias": state_dict["bias"]}


def test_the_state_dict_as_a_file_has_the_digest_of_the_manifest(http: httpx.Client, line: dict[str, Any]) -> None:
    described = http.get("/v1/models/line/versions/1").json()["files"]["state_dict.safetensors"]
    accept = {"Accept": "application/x-safetensors"}
    files = [
        http.get("/v1/models/line/versions/1/state_dict", headers=accept),
        http.get("/v1/models/line/versions/1/exports/safetensors"),
    ]
    for file in files:
        assert file.headers["Content-Type"] == "application/x-safetensors"
        assert hashlib.sha256(file.content).hexdigest() == described["sha256"]
    refused = http.get("/v1/models/line/versions/1/state_dict", headers={"Accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


def test_an_alias_is_set_by_compare_and_swap(http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0})
    path = f"/v1/models/{model}/aliases/blue"
    created = http.put(path, json={"version": 1}, headers={"If-None-Match": "*"})
    assert (created.status_code, created.headers["ETag"], created.json()["version"]) == (200, '"1"', 1)
    lost = http.put(path, json={"version": 2}, headers={"If-None-Match": "*"})
    assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")
    moved = http.put(path, json={"version": 2}, headers={"If-Match": '"1"'})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    assert http.put(path, json={"version": 1}, headers={"If-Match": '"1"'}).status_code == 412
    assert http.get(path).headers["ETag"] == '"2"'
    assert http.get(f"/v1/models/{model}/versions/blue").json()["version"] == 2
    back = http.post(f"{path}/rollback")
    assert (back.json()["version"], back.headers["ETag"]) == (1, '"3"')
    history = http.get(f"{path}/history").json()["data"]
    assert [(each["entry"], each["version"]) for each in history] == [(1, 1), (2, 2), (3, 1)]
    in_use = http.delete(f"/v1/models/{model}/versions/1")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "version_in_use")
    assert http.delete(path, headers={"If-Match": '"2"'}).status_code == 412
    assert http.delete(path, headers={"If-Match": '"3"'}).status_code == 204
    assert (
        http.get(path).status_code == http.delete(path).status_code == http.post(f"{path}/rollback").status_code == 404
    )
    assert http.delete(f"/v1/models/{model}/versions/1").status_code == 204
    assert http.get(f"{path}/history").json()["data"][-1]["version"] is None


def test_invalid_aliases_are_refused(http: httpx.Client, line: dict[str, Any]) -> None:
    for alias in ("latest", "1", "Blue", "a" * 64):
        answer = http.put(f"/v1/models/line/aliases/{alias}", json={"version": 1})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_name")
    for body in (
        {"version": "1"},
        {"version": True},
        {"version": 0},
        {"version": 1.0},
        {"version": 10**18 + 1},
        {"version": 10**30},
        {"version": 1, "also": 2},
    ):
        answer = http.put("/v1/models/line/aliases/blue", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    for version in (2, 10**18):
        answer = http.put("/v1/models/line/aliases/blue", json={"version": version})
        assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found"), version
    for header in ({"If-Match": "*"}, {"If-Match": "one"}, {"If-Match": '""1""'}, {"If-None-Match": '"1"'}):
        answer = http.put("/v1/models/line/aliases/blue", json={"version": 1}, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert http.get("/v1/models/line/aliases").json() == {"data": [], "has_more": False}


def test_version_numbers_of_a_deleted_model_are_not_reused(http: httpx.Client, model: str) -> None:
    http.put(f"/v1/models/{model}/aliases/blue", json={"version": 1})
    assert http.get(f"/v1/models/{model}/predictions?x=1").status_code == 200
    assert http.delete(f"/v1/models/{model}").status_code == 204
    for path in ("", "/predictions?x=1", "/versions/1/predictions?x=1", "/versions/blue", "/aliases/blue"):
        answer = http.get(f"/v1/models/{model}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert http.delete(f"/v1/models/{model}").status_code == 404
    assert train(http, model, training={"epochs": 0})["result"]["version"] == 2


def test_lists_still_work_with_a_damaged_version(server: Server, http: httpx.Client, model: str) -> None:
    train(http, model, training={"epochs": 0})
    contents = server.home / "store/models" / model
    digests = {each["version"]: each["digest"] for each in http.get(f"/v1/models/{model}/versions").json()["data"]}
    damaged = next(
        path for path in contents.rglob("manifest.json") if hashlib.sha256(path.read_bytes()).hexdigest() == digests[2]
    )
    before = damaged.read_bytes()
    damaged.chmod(0o600)
    damaged.write_bytes(before.replace(b"line", b"lime", 1))
    try:
        one = http.get(f"/v1/models/{model}/versions/2")
        assert (one.status_code, one.json()["code"]) == (503, "version_corrupt")
        versions = http.get(f"/v1/models/{model}/versions").json()["data"]
        assert [(each["version"], each["digest"]) for each in versions] == [(2, None), (1, digests[1])]
        assert model in http.get("/v1/models", params={"limit": 1000}).json()["models"]
        shown = http.get(f"/v1/models/{model}")
        assert (shown.status_code, shown.json()["latest"], shown.json()["metrics"]) == (200, 2, None)
        assert http.get(f"/v1/models/{model}/versions/1/predictions?x=1").status_code == 200
    finally:
        damaged.write_bytes(before)
