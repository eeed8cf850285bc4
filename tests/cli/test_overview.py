"""The commands about the service as a whole, data sets, models and retention, completion, and what a start tells people."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli.serve import greet
from service.settings import Settings
from tests.cli.conftest import Run
from tests.harness.server import ROOT, Server


def test_the_service_as_a_whole(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("health").out.startswith(f"The service at {server.url} is ready, version ")
    assert "torch" in run("about").out
    assert json.loads(run("about", "--json").out)["scopes"] == ["predict", "train", "admin"]
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
    table.write_text("a,b\n" + "".join(f"{i},{2 * i}.5\n" for i in range(20)))
    assert (
        run(
            "train", table, "--target", "b", "--set", "training.epochs=0", "--set", "model.kind=linear_regression"
        ).status
        == 0
    )
    assert run("datasets", "rows", "small", "--limit", 2).out.splitlines()[1].split() == ["0", "0.5"]
    assert json.loads(run("datasets", "versions", "small", "--json").out)["version"] == 1
    assert run("models", "load", "small").out == "Loaded small.\n"
    assert run("predict", "small", "a=1").status == 0
    assert "small" in run("models", "stats").out
    assert run("models", "unload", "small").out == "Unloaded small.\n"
    assert run("models", "unload", "smal").status == 3
    assert json.loads(run("models", "lineage", "small", "--json").out)["data"]["state"] == "kept"
    plot = tmp_path / "plot.json"
    assert run("models", "plot", "small", "predictions", "--out", plot).out == f"{plot}\n"
    assert "$schema" in json.loads(plot.read_text())
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
