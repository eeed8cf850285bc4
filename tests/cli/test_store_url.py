"""MODELWRIGHT_STORE_URL: the location of the model store."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model_store import Store
from service import opening
from service.background.training_service import open_journal
from service.home import HomeLost
from service.settings import InvalidSettings, Settings
from tests.api.conftest import train
from tests.cli.conftest import Run
from tests.harness.object_servers import SECRET, MiniStack
from tests.harness.server import ROOT, Server


def started(*options: str) -> "subprocess.CompletedProcess[str]":
    """A service that is not to start. It has a process of its own: it configures the log and the hooks of its process."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - our own


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://bucket/models", "not one of file"),
        ("file:models", "file:///FOLDER"),
        ("s3://key:hidden@b", "s3://BUCKET"),
    ],
)
def test_a_service_does_not_start_with_a_url_that_has_no_backend(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", url)
    for workers in ("1", "2"):
        refused = started("--home", str(tmp_path / "home"), "--workers", workers)
        assert refused.returncode == 1
        assert "MODELWRIGHT_STORE_URL" in refused.stderr and reason in refused.stderr and "hidden" not in refused.stderr
    for command in ("verify", "upgrade"):
        assert "MODELWRIGHT_STORE_URL" in run("store", command, "--home", tmp_path / "home").err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("url", ["/", "file:///", "file:////", "home", "../{0}/home/", "file://{1}/home"])
def test_a_store_shares_no_folder_with_other_files(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the temporary files of others would be removed with the store's
    with pytest.raises(InvalidSettings, match="a folder of its own"):
        opening.store_url(Settings.read(home=tmp_path / "home", store_url=url.format(tmp_path.name, tmp_path)))


def test_models_are_trained_into_a_store_elsewhere_and_backed_up_from_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere, again = tmp_path / "home", tmp_path / "else where", tmp_path / "again"
    with Server(home, store_url=elsewhere.as_uri()) as server, server.http_client() as http:
        train(http, "line", training={"epochs": 1})
        assert http.post("/v1/models/line/predictions", json={"instances": [[0.5]]}).status_code == 200
    assert Store.open(elsewhere).models.names() == ["line"]
    assert not (home / "store").exists()
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", str(elsewhere))
    assert run("store", "verify", "--home", home).out == "No damage found.\n"
    assert run("backup", tmp_path / "backup", "--home", home).status == 0
    refused = run("restore", tmp_path / "backup", "--home", again)
    assert refused.status == 1 and "Unset MODELWRIGHT_STORE_URL" in refused.err
    monkeypatch.delenv("MODELWRIGHT_STORE_URL")
    assert run("restore", tmp_path / "backup", "--home", again).status == 0
    assert Store.open(again / "store").models.names() == ["line"]


def test_commands_work_on_a_bucket_and_leave_it_out_of_backups(
    run: Run, ministack: MiniStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, again, url = tmp_path / "home", tmp_path / "again", f"s3://{ministack.bucket()}/models"
    assert run("keys", "create", "ann", "--scope", "admin", "--home", home).status == 0
    Store.open(home / "store").models.publish("local", {"format": 1}, {})
    assert run("backup", tmp_path / "local", "--home", home).status == 0
    shutil.rmtree(home / "store")
    for name, value in ministack.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", url)
    (tmp_path / "weights").write_bytes(b"weights")
    Store.open(url).models.publish("line", {"format": 1}, {"weights": tmp_path / "weights"})
    assert run("store", "verify", "--home", home).out == "No damage found.\n"
    assert run("store", "upgrade", "--home", home).status == 0
    made = run("backup", tmp_path / "backup", "--home", home)
    assert made.status == 0 and "not in this backup" in made.out
    assert not (tmp_path / "backup/store").exists()
    assert run("restore", tmp_path / "backup", "--home", again).status == 0
    assert "store" not in opening.check(Settings.read(home=again))
    refused = run("restore", tmp_path / "local", "--home", tmp_path / "other")
    assert refused.status == 1 and "names a bucket" in refused.err


def test_a_service_does_not_start_with_a_bucket_that_is_not_there(
    ministack: MiniStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ministack.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", "s3://not-there/models")
    home = ("--home", str(tmp_path / "home"))
    refused = started(*home)
    assert (refused.returncode, refused.stderr) == (1, "Error: The bucket of the store does not exist.\n")
    done = started(*home, "--workers", "2")
    assert done.returncode == 1
    assert "Error: The bucket of the store does not exist." in done.stderr
    assert "Traceback" not in done.stderr and SECRET not in done.stderr


def test_a_home_starts_with_a_moved_store_and_not_with_a_missing_one(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path / "home")
    open_journal(settings).dispose()
    Store.open(settings.home / "store").models.publish("line", {"format": 1}, {})
    opening.remember(settings)
    shutil.move(settings.home / "store", tmp_path / "moved")
    with pytest.raises(HomeLost, match=r"the store .*MODELWRIGHT_STORE_URL"):
        opening.check(settings)
    moved = Settings.read(home=settings.home, store_url=str(tmp_path / "moved"))
    assert {"store", "models"} <= opening.check(moved)
    shutil.rmtree(tmp_path / "moved" / "models")
    with pytest.raises(HomeLost, match="the models"):
        opening.check(moved)
