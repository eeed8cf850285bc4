"""`modelwright keys` on a home, with no service running."""

import json
import re
from pathlib import Path

import pytest

from service.access.audit import Audit
from service.access.keyring import Keyring
from tests.cli.conftest import Run


def test_keys_are_created_listed_and_revoked(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = run("keys", "create", "ann", "--scope", "predict", "--scope", "train", "--expires-in", 30, "--home", home)
    assert made.status == 0 and re.fullmatch(r"mw_[A-Za-z0-9_-]{43}\n", made.out)  # alone, so that a script can read it
    keyring = Keyring(home / "access")
    key = keyring.verify(b"Bearer " + made.out.strip().encode())
    assert key is not None and [scope.word for scope in key.scopes] == ["predict", "train"]
    (listed,) = [json.loads(line) for line in run("keys", "list", "--json", "--home", home).out.splitlines()]
    assert listed["id"] == key.id and listed["expires_at"] and not listed["revoked_at"]
    shown = run("keys", "list", "--home", home).out
    assert "ann" in shown and made.out.strip() not in shown and key.sha256 not in shown
    again = run("keys", "create", "ann", "--scope", "admin", "--home", home)
    assert again.status == 1 and "There is a key of this name" in again.err
    assert run("keys", "revoke", key.id, "--home", home).out == f"Revoked ann ({key.id}).\n"
    assert run("keys", "revoke", "ann", "--home", home).status == 1
    keyring.reload()
    assert keyring.verify(b"Bearer " + made.out.strip().encode()) is None
    lines, _ = Audit(home / "audit").read(None, 10)
    assert [(line["who"], line["changes"][0]["what"]) for line in lines] == [
        ("command line", "key.created"),
        ("command line", "key.revoked"),
    ]


@pytest.mark.parametrize("wrong", [["--scope", "root"], [], ["--scope", "predict", "--expires-in", 0]])
def test_invalid_key_arguments_are_refused(run: Run, tmp_path: Path, wrong: list[object]) -> None:
    assert run("keys", "create", "ann", *wrong, "--home", tmp_path).status in (1, 2)
    assert not (tmp_path / "access").exists()


def test_an_invalid_setting_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWRIGHT_PORT", "many")
    refused = run("keys", "list", "--home", tmp_path)
    assert refused.status == 1 and refused.err.startswith("Error: MODELWRIGHT_PORT: ")
