"""What errors say to do next, keys over HTTP, and the commands about the service as a whole."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cli.serve import greet
from service.settings import Settings
from tests.api.keyed import KeyedServer
from tests.cli.conftest import Run
from tests.harness.server import ROOT, Server


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A server with keys that logs for people."""
    with KeyedServer(tmp_path_factory.mktemp("keyed") / "home", options=("--log-format", "console")) as started:
        yield started


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
    monkeypatch.setenv("MODELWRIGHT_API_KEY", keyed.keys["admin"])
    made = to_keyed("keys", "create", "remote", "--scope", "predict", "--url", keyed.url)
    assert made.status == 0, made.err
    secret = made.out.strip()
    keys = [json.loads(row) for row in to_keyed("keys", "list", "--url", keyed.url, "--json").out.splitlines()]
    assert "remote" in [key["name"] for key in keys]
    monkeypatch.setenv("MODELWRIGHT_API_KEY", secret)
    assert to_keyed("models", "list").status == 0
    monkeypatch.setenv("MODELWRIGHT_API_KEY", keyed.keys["admin"])
    assert to_keyed("keys", "revoke", "remote", "--url", keyed.url).out == "Revoked remote.\n"
    assert to_keyed("keys", "revoke", "remote", "--url", keyed.url).status == 3
    rows = [json.loads(row) for row in to_keyed("audit", "--json").out.splitlines()]
    changes = [change["what"] for row in rows for change in row.get("changes") or ()]
    assert changes.count("key.created") == changes.count("key.revoked") == 1
    assert "key.revoked remote" in to_keyed("audit").out
    after = to_keyed("audit", "--after", rows[0]["id"], "--json").out.splitlines()
    assert [json.loads(row)["id"] for row in after] == [row["id"] for row in rows[1:]]
    both = to_keyed("keys", "list", "--url", keyed.url, "--home", tmp_path)
    assert both.status == 2


def test_the_service_as_a_whole(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("health").out.startswith(f"The service at {server.url} is ready, version ")
    assert "# TYPE modelwright_" in run("metrics").out
    monkeypatch.setattr("webbrowser.open", lambda url: url == f"{server.url}/")  # as where there is a browser
    assert run("open").out == f"Opened {server.url}/\n"
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert f"{server.url}/\n" in run("open").out
    away = run("open", "--url", "http://127.0.0.1:9")
    assert away.status == 4 and "modelwright serve" in away.err
    assert run("--version").out.split()[0] == "modelwright"


def test_data_sets_models_and_retention(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    table.write_text("a,b\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    assert run("train", table, "--target", "b", "--set", "training.epochs=0").status == 0
    assert run("datasets", "rows", "small", "--limit", 2).out.splitlines()[1].split() == ["0", "0"]
    assert json.loads(run("datasets", "versions", "small", "--json").out)["version"] == 1
    assert run("models", "load", "small").out == "Loaded small.\n"
    assert run("predict", "small", "a=1").status == 0
    assert "small" in run("models", "stats").out
    assert run("models", "unload", "small").out == "Unloaded small.\n"
    assert run("models", "unload", "smal").status == 3
    assert json.loads(run("models", "lineage", "small", "--json").out)["data"]["state"] == "kept"
    plot = tmp_path / "plot.svg"
    assert run("models", "plot", "small", "predictions", "--out", plot).out == f"{plot}\n"
    assert "<svg" in plot.read_text()
    assert run("models", "plot", "small", "predictions", "--out", tmp_path / "plot.gif").status == 2
    rows = json.loads(run("models", "state-dict", "small", "--tensor", first(run), "--rows", "0:1").out)
    assert [len(value) for value in rows.values()] == [1]
    assert run("models", "state-dict", "small", "--rows", "0:1").status == 2
    assert "Would be deleted: none" in run("retention", "set", "small", "--last", 3, "--dry-run").out
    assert run("retention", "show", "small").status == 3
    assert run("retention", "set", "small").status == 2
    assert run("retention", "set", "small", "--last", 3, "--days", 2).out.startswith("Kept are last 3, days 2\n")
    assert json.loads(run("retention", "show", "small", "--json").out)["last"] == 3
    assert run("retention", "delete", "small").status == 0


def first(run: Run) -> str:
    """The name of the first parameter of the model `small` that has rows."""
    rows = [
        json.loads(row) for row in run("models", "parameters", "small", "--no-statistics", "--json").out.splitlines()
    ]
    name: str = next(row["name"] for row in rows if row["shape"])
    return name


def test_words_are_completed() -> None:
    environment = os.environ | {
        "_MODELWRIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": "modelwright aliases ro",
        "COMP_CWORD": "2",
    }
    done = subprocess.run([sys.executable, "-m", "service"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["rollback"]


@pytest.mark.parametrize("keys_on", [True, False])
def test_people_are_told_where_the_page_is_and_how_to_make_a_key(
    keys_on: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    greet(Settings(home=tmp_path), keys_on, "http://0.0.0.0:8000")
    said = capsys.readouterr().err
    assert "http://127.0.0.1:8000/" in said and f"modelwright keys create NAME --scope admin --home {tmp_path}" in said
    assert ("asks for a key" in said) is keys_on


def test_log_lines_for_people_are_asked_for_by_an_option(keyed: KeyedServer) -> None:
    said = keyed.log()
    assert f"The page: {keyed.url}/" in said and "It asks for a key" in said and "running on" in said
    assert not any(line.startswith("{") for line in said.splitlines()) and "\x1b" not in said
