"""Which requests have a line in the audit log (O8). The servers are not shared: refused requests of other tests would
use up the limit."""

from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import LINE, ended, train
from tests.api.keyed import KeyedServer
from tests.api.test_edge import problem
from tests.harness.until import until


def test_changes_are_logged_with_their_caller(audited: KeyedServer) -> None:
    bodies = [{"version": 1}, {"version": 99}]
    with audited.as_("admin") as http, audited.as_("predict") as low, audited.http_client() as nobody:
        path = "/v1/models/line/aliases/blue"
        for body in bodies:
            http.put(path, json=body, headers={"Request-Id": "try-1"})
        http.delete(path)
        low.delete(path, params={"secret": "s3cret"})
        nobody.delete(path, headers={"Authorization": "Bearer s3cret"})
        assert http.post("/v1/training-jobs/validate", json={}).status_code == 422  # changes nothing
        lines = until(lambda: (found := [each for each in audit(http) if each["path"] == path])[4:] and found)
        assert [(each["who"], each["method"], each["status"]) for each in lines] == [
            ("admin", "PUT", 200), ("admin", "PUT", 404), ("admin", "DELETE", 204), ("predict", "DELETE", 403),
            (None, "DELETE", 401),
        ]  # fmt: skip
        assert [each["changes"] for each in lines] == [
            [{"what": "alias.moved", "on": "line/blue", "from": None, "to": 1}], [],
            [{"what": "alias.deleted", "on": "line/blue", "from": 1, "to": None}], [], [],
        ]  # fmt: skip
        assert lines[0]["request_id"] == lines[1]["request_id"] == "try-1"
        assert "s3cret" not in str(audit(http))
        assert "validate" not in str([each["path"] for each in audit(http)])
        for after in ("x", "2026-11-23:", "2026-11-23:\N{ARABIC-INDIC DIGIT FOUR}"):
            assert problem(http.get("/v1/audit", params={"after": after})) == (422, "invalid_request")


def test_every_kind_of_change_is_logged(audited: KeyedServer, csv: Path) -> None:
    with audited.as_("train") as http:
        train(http, "gone", training={"epochs": 0})
    with audited.as_("admin") as http:
        before = len(audit(http))
        bundle = http.get("/v1/models/gone/versions/1/bundle").content
        digest = http.get("/v1/models/gone/versions/1").json()["digest"]
        for _ in range(2):  # the second upload makes no new version
            http.post("/v1/models/copy/versions", content=bundle, headers={"Content-Type": "application/zip"})
        http.put("/v1/models/copy/aliases/blue", json={"version": 1})
        http.put("/v1/models/copy/aliases/blue", json={"version": 1})
        http.delete("/v1/models/copy/aliases/blue")
        http.delete("/v1/models/copy/versions/1")
        http.delete("/v1/models/gone")
        for _ in range(2):
            http.put("/v1/datasets/houses", content=csv.read_bytes(), headers={"Content-Type": "text/csv"})
        http.delete("/v1/datasets/houses")
        http.post("/v1/keys", json={"name": "new", "scopes": ["train", "predict"]})
        http.delete("/v1/keys/new")
        slow = {**LINE, "model_name": "slow", "training": {"epochs": 10**7}}
        job = http.post("/v1/training-jobs", json=slow, headers={"Idempotency-Key": "once"}).json()["id"]
        http.post("/v1/training-jobs", json=slow, headers={"Idempotency-Key": "once"})
        for verb in ("pause", "resume", "cancel", "cancel"):
            assert http.post(f"/v1/training-jobs/{job}/{verb}").status_code == 200
        ended(http, job)
        changes = [change for each in audit(http)[before:] if each["who"] == "admin" for change in each["changes"]]
    logged = [(each["what"], each["on"]) for each in changes]
    assert logged == [
        ("version.imported", "copy/1"), ("alias.moved", "copy/blue"), ("alias.deleted", "copy/blue"),
        ("version.deleted", "copy/1"), ("model.deleted", "gone"), ("dataset.uploaded", "houses/1"),
        ("dataset.deleted", "houses"), ("key.created", "new"), ("key.revoked", "new"), ("job.created", job),
        ("job.paused", job), ("job.resumed", job), ("job.cancelled", job),
    ]  # fmt: skip
    assert changes[0]["to"] == changes[3]["from"] == digest
    assert changes[9]["to"] == "slow"
    assert "mw_" not in str(changes)


def audit(http: httpx.Client) -> list[Any]:
    """The whole audit log."""
    lines: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = http.get("/v1/audit", params={"limit": 100, **after}).json()
        lines += page["data"]
        if not page["has_more"]:
            return lines
        after = {"after": page["data"][-1]["id"]}


def test_damaged_keys_and_an_unwritable_audit_log_block_no_request(audited: KeyedServer) -> None:
    """The key file is damaged and the log cannot be written: known keys are accepted, and changes happen and go to the
    service's log."""
    keys, log = audited.home / "access" / "keys.json", audited.home / "audit"
    kept = keys.read_text()
    with audited.as_("admin") as http:
        keys.write_text("nothing")
        log.rename(audited.home / "moved")
        log.write_text("no folder")
        until(lambda: "the keys stay as they were" in audited.log())
        assert http.get("/v1/models/line/predictions?x=1").status_code == 200
        assert problem(http.post("/v1/keys", json={"name": "x", "scopes": ["predict"]})) == (503, "unavailable")
        assert http.put("/v1/models/line/aliases/green", json={"version": 1}).status_code == 200
        assert http.get("/v1/models/line/aliases/green").json()["version"] == 1
        until(lambda: r"\"on\": \"line/green\"" in audited.log())
        http.headers.pop("Authorization")
        assert http.get("/v1/models/line/predictions?x=1").status_code == 401
    keys.write_text(kept)
    log.unlink()
    (audited.home / "moved").rename(log)
