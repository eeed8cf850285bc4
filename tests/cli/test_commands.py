"""Every command once, as a user types it, and common user errors."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from tests.api.conftest import LINE, ended
from tests.cli.conftest import Run
from tests.harness.server import Server
from tests.harness.until import until


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({**LINE, "model_name": "told"}))
    return path


@pytest.fixture(scope="module")
def typed(server: Server) -> None:
    """A model `typed` with two versions."""
    for seed in (42, 7):
        spec = {**LINE, "model_name": "typed", "training": {**LINE["training"], "seed": seed}}
        with server.http_client() as http:
            job = http.post("/v1/training-jobs", json=spec).json()
            assert ended(http, job["id"])["status"] == "succeeded"


def test_train_shows_progress_and_the_version(run: Run, spec: Path) -> None:
    trained = run("train", spec)
    assert trained.status == 0
    assert "epoch 5 of 5" in trained.out and "told@1" in trained.out.splitlines()
    as_json = run("train", "-", "--json", stdin=spec.read_text())
    assert json.loads(as_json.out)["status"] == "succeeded" and "epoch 5 of 5" in as_json.err
    job_id = run("train", spec, "--no-wait").out.strip()
    assert len(job_id) >= 16
    assert run("jobs", "watch", job_id).status == 0  # no training writes to the store during the next test


def test_predict(run: Run, typed: None) -> None:
    one = run("predict", "typed@1", "x=0.5")
    assert one.status == 0
    number = float(one.out)
    for instances in ("[0.5]", "[[0.5]]", '[{"x": 0.5}]'):
        assert float(run("predict", "typed@1", "--instances", instances).out) == number
    assert run("predict", "typed@1", "--instances", "-", stdin="[0.5, 0.5]").out == one.out * 2
    answer = json.loads(run("predict", "typed@2", "x=0.5", "--json").out)
    assert answer["model_version"] == 2 and answer["predictions"] != [number]


def test_explain(run: Run, typed: None) -> None:
    told = run("explain", "typed@1", "x=0.5")
    assert told.status == 0 and "adds to y" in told.out and told.out.startswith("typical row: ")
    found = json.loads(run("explain", "typed@1", "--instances", "[[0.5], [2]]", "--json").out)
    for each, prediction in zip(found["attributions"], found["predictions"], strict=True):
        assert each["x"] == pytest.approx(prediction - found["baseline"]["prediction"], abs=1e-4)
    assert run("explain", "typed", "x=1", "--class", "red").status == 1


def test_models(run: Run, typed: None, tmp_path: Path) -> None:
    assert "typed" in run("models", "list").out
    listed = [json.loads(row) for row in run("models", "list", "--json").out.splitlines()]
    assert "typed" in [row["name"] for row in listed]
    versions = run("models", "versions", "typed").out.splitlines()
    assert versions[0].split() == ["version", "created_at", "digest", "aliases"]
    assert "…" not in "".join(versions) and versions[-1].startswith("1 ")
    assert json.loads(run("models", "show", "typed", "--json").out)["name"] == "typed"
    assert json.loads(run("models", "show", "typed@1", "--json").out)["signature"]["inputs"][0]["name"] == "x"
    shown = run("models", "show", "typed@1").out
    assert "typed@1" in shown and "inputs: x (number)" in shown and "baseline" in shown
    assert "most important inputs (rise of relative_squared_error): x " in shown
    assert "weight" in run("models", "parameters", "typed").out
    assert list(json.loads(run("models", "state-dict", "typed@1").out)) == ["weight", "bias"]
    file = tmp_path / "typed.safetensors"
    assert run("models", "state-dict", "typed@1", "--out", file).out.replace("\n", "") == str(file)
    assert file.stat().st_size > 8


def test_cards_and_comparisons(run: Run, typed: None, tmp_path: Path) -> None:
    assert run("models", "card", "typed@1").out.startswith("# typed, version 1\n\n| Model | typed |")
    saved = tmp_path / "card.md"
    assert run("models", "card", "typed", "--out", saved).out.replace("\n", "") == str(saved)
    assert saved.read_text().startswith("# typed, version 2\n")
    compared = run("models", "compare", "typed", 1, "latest").out.splitlines()
    assert compared[0].split("  ")[0] == "spec" and "a: typed@1" in compared[0] and "b: typed@2" in compared[0]
    assert ["/training/seed", "42", "7"] in [row.split() for row in compared]
    assert any(row.startswith("weight ") for row in compared)
    assert json.loads(run("models", "compare", "typed", 1, 1, "--json").out)["parameters"]["l2"] == 0
    assert run("models", "compare", "typed", 1, 9).status == 3


def test_aliases(run: Run, typed: None) -> None:
    assert run("models", "promote", "typed", 1, "--alias", "blue").out == "typed@blue is version 1.\n"
    assert json.loads(run("aliases", "set", "typed", "blue", 2, "--if-match", 1, "--json").out)["entry"] == 2
    lost = run("aliases", "set", "typed", "blue", 1, "--if-match", 1)
    assert lost.status == 1
    assert "blue: 2" in run("models", "list").out
    assert run("aliases", "list", "typed").out.splitlines()[1].split()[:3] == ["blue", "2", "2"]
    assert json.loads(run("aliases", "show", "typed", "blue", "--json").out)["version"] == 2
    assert run("models", "rollback", "typed", "--alias", "blue").out == "typed@blue is version 1.\n"
    history = run("aliases", "history", "typed", "blue", "--json").out.splitlines()
    assert [json.loads(row)["version"] for row in history] == [1, 2, 1]
    assert run("aliases", "delete", "typed", "blue").out == "Deleted typed@blue.\n"
    nothing = run("aliases", "rollback", "typed", "green")
    assert nothing.status == 3 and nothing.err.startswith(
        "Error: 'typed' has no alias 'green'.\nIts newest versions: 2, 1."
    )


def test_push_and_pull(run: Run, server: Server, typed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = run("push", "typed@1", f"{server.url}/", "--as", "pushed", "--alias", "blue")
    assert (pushed.status, pushed.out) == (0, "pushed@1\n") and "receiving" in pushed.err
    pulled = json.loads(run("pull", server.url, "pushed@blue", "--as", "pulled", "--json").out)
    assert (pulled["name"], pulled["version"], pulled["new"]) == ("pulled", 1, True)
    assert "nothing was sent" in run("push", "typed@1", server.url, "--as", "pushed").out
    monkeypatch.setenv("MODELWRIGHT_API_KEY", "mw_of-this-service")
    unusable = run("push", "typed@1", server.url, "--as", "pushed", "--key", "mw_of-the-other\n")
    assert unusable.status == 1 and "visible ASCII" in unusable.err and "mw_" not in unusable.err
    away = run("pull", "http://ann:secret@127.0.0.1:1", "typed")
    assert away.status == 4 and "could not be reached" in away.err and "secret" not in away.err


def test_bundles_and_deletion(run: Run, typed: None, tmp_path: Path) -> None:
    bundle = tmp_path / "typed.zip"
    assert run("models", "export-bundle", "typed@1", bundle).status == 0
    exported = bundle.with_suffix(".pt")
    assert run("models", "export", "typed@1", "state_dict", "--output", exported).out.strip() == str(exported)
    assert run("models", "export", "typed", "pickle").status == 3
    assert run("models", "import-bundle", "taken", bundle).out == "taken@1\n"
    assert json.loads(run("models", "import-bundle", "taken", bundle, "--json").out)["version"] == 1
    assert run("models", "delete", "taken", stdin="n\n").status == 1
    assert run("models", "show", "taken").status == 0
    assert run("models", "delete", "taken@1", "--yes").out == "Deleted taken@1.\n"
    assert run("models", "delete", "taken", "--yes").status == 3


def test_datasets(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "plants.csv"
    table.write_text("height,kind\n1,a\n2,b\n")
    uploaded = run("datasets", "upload", "plants", table)
    lines = uploaded.out.splitlines()
    assert lines[0] == "plants@1: 2 rows, 20 bytes, text/csv"
    assert [row.split()[:4] for row in lines[-3:]] == [
        ["name", "type", "missing", "distinct"],
        ["height", "number", "0", "2"],
        ["kind", "category", "0", "2"],
    ]
    assert "a, b" in lines[-1] and lines[-3].split()[4:] == ["examples", "why"]
    assert json.loads(run("datasets", "upload", "plants", table, "--json").out)["version"] == 1
    assert "plants" in run("datasets", "list").out
    assert json.loads(run("datasets", "show", "plants", "--json").out)["rows"] == 2
    assert run("datasets", "show", "plants").out == uploaded.out
    assert run("datasets", "delete", "plants", "-y").out == "Deleted plants.\n"


def test_how_a_data_set_is_read(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "houses.csv.gz"
    table.write_bytes(gzip.compress("Houses\nsize|colour\n1,5|red\n-|bl\u00fce\x1b[2J\n".encode("windows-1252")))
    options = (
        "--separator",
        "|",
        "--decimal",
        ",",
        "--encoding",
        "windows-1252",
        "--missing",
        "-,?",
        "--skip-lines",
        1,
    )
    uploaded = run("datasets", "upload", "houses-told", table, *options)
    assert uploaded.status == 0, uploaded.err
    assert uploaded.out.startswith("houses-told@1: 2 rows") and "separator: |" in uploaded.out
    assert "encoding: windows-1252" in uploaded.out and "compression: gzip" in uploaded.out
    assert any(line.startswith("Note: ") and "'-'" in line for line in uploaded.out.splitlines())
    assert "\x1b" not in uploaded.out and "bl\u00fce\\x1b[2J" in uploaded.out
    reread = run("datasets", "reread", "houses-told", "--missing", "red", "--type", "size=category", "--json")
    about = json.loads(reread.out)
    assert (about["version"], about["reading"]["missing"], about["reading"]["separator"]) == (2, ["red"], "|")
    assert [(each["type"], each["missing"]) for each in about["columns"]] == [("category", 0), ("category", 1)]
    tabs = tmp_path / "tabs.txt"
    tabs.write_text("a,b\tborn\n1\t03/04/2020\n2\t05/06/2020\n")
    assert run("datasets", "upload", "houses-tabs", tabs, "--separator", "tab").status == 0
    dates = run("datasets", "reread", "houses-tabs", "--separator", "tab", "--date-format", "born=%d/%m/%Y")
    assert "houses-tabs@" in dates.out and "date_formats: born: %d/%m/%Y" in dates.out and "separator: \\t" in dates.out
    wrong = run("datasets", "reread", "houses-tabs", "--decimal", ";")
    assert wrong.status == 1 and "/reading/decimal" in wrong.err


def test_jobs(run: Run, typed: None, spec: Path) -> None:
    rows = [json.loads(row) for row in run("jobs", "list", "--model-name", "typed", "--json").out.splitlines()]
    job = rows[-1]["id"]
    assert job in run("jobs", "list", "--status", "succeeded").out
    assert json.loads(run("jobs", "show", job, "--json").out)["id"] == job
    assert "succeeded" in run("jobs", "show", job).out
    assert run("jobs", "watch", job).out.splitlines()[-1] == "typed@1"
    spec.write_text(json.dumps({**LINE, "model_name": "endless", "training": {"epochs": 10**7}}))
    endless = run("train", spec, "--detach").out.strip()
    assert run("jobs", "pause", endless).status == 0  # its request waits only briefly
    until(lambda: json.loads(run("jobs", "show", endless, "--json").out)["status"] == "paused")
    assert json.loads(run("jobs", "resume", endless, "--json").out)["status"] in ("queued", "running")
    assert run("jobs", "cancel", endless).out == f"Job {endless} is cancelled.\n"
    assert run("jobs", "watch", endless).status == 1
    causes = run("jobs", "attempts", endless, "--json").out.splitlines()
    assert [json.loads(row)["attempt"] for row in causes] == [*range(1, len(causes) + 1)]
    lines = run("logs", endless, "--follow").out.splitlines()
    assert lines == run("jobs", "events", endless).out.splitlines()
    assert lines[0].endswith("status   status queued") and lines[-1].endswith("status   status cancelled")
    epochs = run("jobs", "metrics", job).out.splitlines()
    assert epochs[0].split() == ["epoch", "train_loss"] and len(epochs) == 6


def copy_of_typed(server: Server, folder: Path) -> Path:
    """A home with the model `typed` alone: other tests damage theirs on purpose."""
    home = folder / "home"
    shutil.copytree(server.home / "store/models/typed", home / "store/models/typed")
    (home / "store/blobs").mkdir()
    for manifest in home.glob("store/models/typed/contents/*/manifest.json"):
        for file in json.loads(manifest.read_bytes())["files"].values():
            shutil.copy(server.home / "store/blobs" / file["sha256"], home / "store/blobs")
    return home


def test_verify_finds_a_flipped_byte(run: Run, typed: None, server: Server, tmp_path: Path) -> None:
    home = copy_of_typed(server, tmp_path)
    version = Store.open(home / "store").models.latest("typed")
    assert run("store", "verify", "--home", home).out == "No damage found.\n"
    file = home / "store/blobs" / version.file("state_dict.safetensors")["sha256"]
    file.chmod(0o600)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    found = run("store", "verify", "--home", home)
    assert found.status == 1 and "state_dict.safetensors" in found.out
    nothing = run("store", "verify", "--home", tmp_path / "nothing")
    assert nothing.status == 1 and "There is no model store" in nothing.err


def test_an_upgrade_waits_until_no_service_runs(run: Run, typed: None, server: Server, tmp_path: Path) -> None:
    refused = run("store", "upgrade", "--home", server.home)
    assert refused.status == 1 and "stop it first" in refused.err
    home = copy_of_typed(server, tmp_path)
    record = next((home / "store/models").glob("*/versions/*"))
    fields = json.loads(record.read_bytes())
    record.write_text(json.dumps({each: fields[each] for each in ("digest", "content", "key", "created_at")}))
    assert "Not sealed: 1 records" in run("store", "verify", "--home", home).out
    assert run("store", "upgrade", "--home", home).out == "Sealed: 1 records and alias entries.\n"
    assert run("store", "verify", "--home", home).out == "No damage found.\n"


WRONG: list[tuple[tuple[Any, ...], int, str]] = [
    (("models", "show", "nobody"), 3, "'nobody'"),
    (("predict", "nobody", "x=1"), 3, "'nobody'"),
    (("predict", "typed", "x=a"), 1, "expected a finite number"),
    (("predict", "typed", "z=1"), 1, "/z: is no input of this model"),
    (("predict", "typed", "0.5"), 2, "FEATURE=VALUE"),
    (("explain", "typed"), 2, "FEATURE=VALUE"),
    (("explain", "nobody", "x=1"), 3, "'nobody'"),
    (("explain", "typed", "x=1", "--target", "z"), 1, "is no target"),
    (("predict", "typed", "--instances", "{bad"), 2, "not JSON"),
    (("predict", "typed", "--instances", "{}"), 2, "no JSON list"),
    (("train", "-"), 2, "not JSON"),
    (("train", "/nothing/spec.json"), 1, "Error: No such file or directory: /nothing/spec.json"),
    (("jobs", "show", "nobody"), 3, "no such training job"),
    (("jobs", "list", "--status", "lost"), 1, "'queued'"),
    (("models", "import-bundle", "typed", __file__), 1, "not a zip file"),
    (("models", "import-bundle", "typed", "/nothing"), 1, "No such file"),
    (("datasets", "upload", "plants", __file__), 1, "line"),
    (("datasets", "upload", "plants", "/nothing.csv"), 1, "No such file"),
    (("datasets", "upload", "plants", __file__, "--separator", "ab"), 1, "/separator"),
    (("datasets", "reread", "nobody", "--type", "x=number"), 3, "'nobody'"),
    (("datasets", "reread", "nobody", "--type", "x"), 2, "COLUMN="),
    (("models", "show", "typd"), 3, "Did you mean typed?"),
    (("models", "show", "typed@9"), 3, "Its newest versions: 2, 1."),
    (("models", "show", ".."), 1, "cannot be part of a URL"),
    (("models", "frobnicate"), 2, "No such command"),
    (("models", "list", "--url", "http://127.0.0.1:9"), 4, "modelwright serve"),
    (("models", "list", "--url", "nonsense"), 4, "Error: "),
]


@pytest.mark.parametrize(("arguments", "status", "said"), WRONG)
def test_errors_are_messages(run: Run, typed: None, arguments: tuple[Any, ...], status: int, said: str) -> None:
    ended = run(*arguments, stdin="{bad")
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err.replace("\n", " ")


def test_an_invalid_spec_shows_every_error(run: Run) -> None:
    ended = run("train", "-", stdin='{"model_name": "a", "data": {"kind": "lime"}, "optimizer": {"name": "sdg"}}')
    assert ended.status == 1
    assert (
        "/data/kind" in ended.err and "'line'" in ended.err and "/optimizer/name" in ended.err and "'SGD'" in ended.err
    )


def test_the_module_runs_the_command() -> None:
    """As a process, and without loading torch to print the help."""
    code = "import sys, service.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
    trained = subprocess.run([sys.executable, "-m", "service", "--help"], capture_output=True, text=True, check=True)
    for command in ("serve", "demo", "train", "predict", "models", "jobs", "datasets", "store"):
        assert command in trained.stdout
