"""The command line against a service with keys: what errors say to do next, keys over HTTP, and the audit log."""

import json
from pathlib import Path

import pytest

from tests.api.conftest import ADMIN_KEY
from tests.api.keyed import KeyedServer
from tests.cli.conftest import Run
from tests.cli.conftest import run as run


@pytest.fixture
def to_keyed(run: Run, keyed: KeyedServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands against a server with keys; without a key, until the test sets one."""
    monkeypatch.setenv("MODELWRIGHT_URL", keyed.url)
    return run


def test_without_a_sufficient_key_the_way_to_one_is_told(
    to_keyed: Run, keyed: KeyedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = to_keyed("models", "list")
    assert none.status == 5 and "Set MODELWRIGHT_API_KEY." in none.err and "modelwright keys create" in none.err
    for key in ("made-up", "revoked", "expired"):
        monkeypatch.setenv("MODELWRIGHT_API_KEY", keyed.keys[key])
        wrong = to_keyed("models", "list")
        assert wrong.status == 5 and "MODELWRIGHT_API_KEY holds no valid key" in wrong.err
    monkeypatch.setenv("MODELWRIGHT_API_KEY", keyed.keys["predict"])
    assert to_keyed("models", "list").status == 0
    narrow = to_keyed("datasets", "list")
    assert narrow.status == 5 and "keys create NAME --scope train" in narrow.err
    assert keyed.keys["predict"] not in narrow.err
    health = json.loads(to_keyed("health", "--json").out)
    assert health["ready"] and "url" in health


def test_keys_and_the_audit_log_over_http(
    to_keyed: Run, keyed: KeyedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELWRIGHT_API_KEY", ADMIN_KEY)
    made = to_keyed("keys", "create", "remote", "--scope", "predict", "--url", keyed.url)
    assert made.status == 0, made.err
    secret = made.out.strip()
    keys = [json.loads(row) for row in to_keyed("keys", "list", "--url", keyed.url, "--json").out.splitlines()]
    assert "remote" in [key["name"] for key in keys]
    monkeypatch.setenv("MODELWRIGHT_API_KEY", secret)
    assert to_keyed("models", "list").status == 0
    monkeypatch.setenv("MODELWRIGHT_API_KEY", ADMIN_KEY)
    assert to_keyed("keys", "revoke", "remote", "--url", keyed.url).out == "Revoked remote.\n"
    assert to_keyed("keys", "revoke", "remote", "--url", keyed.url).status == 3
    rows = [json.loads(row) for row in to_keyed("audit", "--json").out.splitlines()]
    changes = [change["what"] for row in rows for change in row.get("changes") or ()]
    assert {"key.created", "key.revoked"} <= {*changes}
    assert "key.revoked remote" in to_keyed("audit").out
    after = to_keyed("audit", "--after", rows[0]["id"], "--json").out.splitlines()
    assert [json.loads(row)["id"] for row in after] == [row["id"] for row in rows[1:]]
    both = to_keyed("keys", "list", "--url", keyed.url, "--home", tmp_path)
    assert both.status == 2
