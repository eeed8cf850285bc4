"""Retention rules over HTTP, and their application by the housekeeping."""

import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_store import Store
from tests.api.test_edge import problem
from tests.harness.server import Server
from tests.harness.until import until


@pytest.fixture
def versions(server: Server) -> str:
    """The address of the rule of a model with five versions."""
    name = f"kept-{uuid.uuid4().hex}"
    store = Store.open(server.home / "store")
    for number in range(5):
        store.models.publish(name, {"n": number, "format": 1}, {})
    store.aliases.set(name, "production", 2)
    return f"/v1/models/{name}/retention"


def test_a_rule_is_set_shown_and_deleted(http: httpx.Client, versions: str) -> None:
    assert problem(http.get(versions)) == (404, "retention_not_found")
    tried = http.put(versions, params={"dry_run": "true"}, json={"last": 2})
    assert (tried.status_code, tried.json()["expired"]) == (200, [1, 3])
    assert problem(http.get(versions)) == (404, "retention_not_found")
    assert http.put(versions, json={"last": 2, "days": 30}).json()["expired"] == []
    shown = http.get(versions).json()
    assert (shown["last"], shown["days"], shown["expired"]) == (2, 30, [])
    assert http.put(versions, json={"days": 7}).json()["last"] is None
    assert http.delete(versions).status_code == 204
    assert problem(http.delete(versions)) == (404, "retention_not_found")


@pytest.mark.parametrize(
    "body",
    [{}, [], {"last": 0}, {"days": True}, {"last": 1.5}, {"last": "2"}, {"days": 10**9}, {"last": 1, "x": 2}],
)
def test_other_rules_are_refused(http: httpx.Client, versions: str, body: Any) -> None:
    refused = http.put(versions, json=body)
    assert problem(refused) == (422, "invalid_request")
    assert '"last": 20' in refused.json()["detail"]
    assert problem(http.put(versions, params={"dry_run": "perhaps"}, json={"last": 1})) == (422, "invalid_request")


def test_a_model_that_is_not_there_has_no_rule(http: httpx.Client) -> None:
    path = "/v1/models/nothing-here/retention"
    for answer in (http.get(path), http.put(path, json={"last": 1}), http.delete(path)):
        assert problem(answer) == (404, "model_not_found")


def test_the_housekeeping_applies_rules_and_logs_what_it_deletes(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "home" / "store")
    for number in range(4):
        store.models.publish("line", {"n": number, "format": 1}, {})
    store.retention.put("line", 2, None)
    with Server(tmp_path / "home") as server:
        until(lambda: store.models.numbers("line") == [3, 4])
        lines = until(lambda: (found := server.http.get("/v1/audit").json()["data"])[1:] and found)
        assert [(each["who"], each["changes"][0]["what"], each["changes"][0]["on"]) for each in lines] == [
            ("housekeeping", "version.deleted", "line/1"),
            ("housekeeping", "version.deleted", "line/2"),
        ]
