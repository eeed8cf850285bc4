"""A missing part of a home prevents the start of a service until the loss is accepted."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from model_store import Store
from service import opening
from service.access.audit import Audit
from service.access.errors import KeysCorrupt
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.background.training_service import open_journal
from service.home import Home, HomeDamaged, HomeError, HomeHalfRestored, HomeLost
from service.jobs.errors import JournalLost
from service.keys import open_keys
from service.settings import Settings
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
ADMIN = "correct-horse-battery-staple-and-more"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a home with data of every kind, as a service leaves it."""
    settings = Settings.read(home=tmp_path / "home")
    open_journal(settings).dispose()
    store = Store.open(settings.home / "store")
    for number, collection in enumerate((store.models, store.datasets)):
        file = tmp_path / "file"
        file.write_text(str(number))
        collection.publish("line", {"format": 1}, {"file": file})
    open_keys(settings).create("ann", [Scope.ADMIN])
    Audit(settings.home / "audit").append_command("key.created", "ann")
    opening.remember(settings)
    return settings


LOSSES = {
    "keys": "access/keys.json",
    "journal": "journal.sqlite",
    "store": "store",
    "models": "store/models",
    "datasets": "store/datasets",
    "audit": "audit",
}


@pytest.mark.parametrize(("what", "place"), LOSSES.items())
def test_a_missing_part_prevents_the_start(settings: Settings, what: str, place: str) -> None:
    path = settings.home / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = sorted(settings.home.rglob("*"))
    for open_part in (open_journal, open_keys):
        with pytest.raises(HomeLost, match="accept-loss") as caught:
            open_part(settings)
        assert what in caught.value.lost and place in str(caught.value)
    assert sorted(settings.home.rglob("*")) == before  # nothing was created
    accepted = opening.accept_loss(settings)
    assert accepted.first_key == (what == "keys")
    opening.check(accepted)
    (line,) = [each for each in Audit(settings.home / "audit").read(None, 10)[0] if each["changes"][0]["on"] != "ann"]
    assert line["changes"][0]["what"] == "home.loss_accepted" and what in line["changes"][0]["from"]
    assert open_keys(accepted).on
    opening.remember(accepted)
    opening.check(settings)


@pytest.mark.parametrize("place", ["access/keys.json", "journal.sqlite"])
def test_an_emptied_file_counts_as_missing(settings: Settings, place: str) -> None:
    (settings.home / place).write_bytes(b"")
    with pytest.raises(HomeLost, match=place):
        opening.check(settings)


@pytest.mark.parametrize("place", ["store/models", "store/datasets"])
def test_an_emptied_folder_counts_as_missing(settings: Settings, place: str) -> None:
    shutil.rmtree(settings.home / place)
    (settings.home / place).mkdir()
    with pytest.raises(HomeLost, match=place):
        opening.check(settings)


def test_a_journal_without_tables_counts_as_missing(settings: Settings) -> None:
    file = settings.home / "journal.sqlite"
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(JournalLost, match="accept-loss"):
        open_journal(settings)


def test_an_empty_key_list_does_not_disable_authentication(settings: Settings) -> None:
    (settings.home / "access" / "keys.json").write_text('{"keys": []}')
    with pytest.raises(KeysCorrupt):
        open_keys(settings)


@pytest.mark.parametrize("damage", ["gone", "empty", "flipped", "unsealed", "another object"])
def test_a_damaged_or_missing_record_does_not_disable_authentication(settings: Settings, damage: str) -> None:
    file = settings.home / "home.json"
    data = file.read_bytes()
    (settings.home / "access" / "keys.json").unlink()
    if damage == "gone":
        file.unlink()
    else:
        flipped = data.replace(b"keys", b"keyz")
        other = {
            "empty": b"",
            "flipped": flipped,
            "unsealed": b'{"holds": [], "restoring": false}',
            "another object": b"[]",
        }
        file.write_bytes(other[damage])
    with pytest.raises(HomeDamaged, match=r"home\.json"):
        open_keys(settings)
    opening.remember(settings)  # as a running service does periodically
    with pytest.raises(HomeDamaged):
        opening.check(settings)
    accepted = opening.accept_loss(settings)
    assert accepted.first_key and open_keys(accepted).on  # it is unknown whether there were keys


def test_every_byte_of_the_record_counts(settings: Settings) -> None:
    file = settings.home / "home.json"
    data = file.read_bytes()
    for number in range(len(data)):
        flipped = bytearray(data)
        flipped[number] ^= 1 << number % 8
        file.write_bytes(flipped)
        with pytest.raises(HomeDamaged):
            Home(settings.home).held()


def test_a_home_without_a_record_gets_one(settings: Settings) -> None:
    held = Home(settings.home).held()
    (settings.home / "home.json").unlink()
    for marker in settings.home.rglob(".home"):
        marker.unlink()
    assert opening.check(settings) == frozenset()
    opening.remember(settings)
    assert opening.check(settings) == held >= {"keys", "journal", "store", "models", "datasets", "audit"}


def test_a_removed_configured_key_does_not_disable_authentication(tmp_path: Path) -> None:
    with_key = Settings.read(home=tmp_path, admin_key=ADMIN)
    open_journal(with_key).dispose()
    opening.remember(with_key)
    without = Settings.read(home=tmp_path)
    with pytest.raises(HomeLost, match="MODELWRIGHT_ADMIN_KEY"):
        open_keys(without)
    assert opening.accept_loss(without).first_key
    opening.remember(with_key)
    Keyring(tmp_path / "access").create("ann", [Scope.ADMIN])
    assert open_keys(without).on  # the configured key is not needed


def test_another_journal_than_recorded_prevents_the_start(settings: Settings, tmp_path: Path) -> None:
    elsewhere = settings.model_copy(
        update={"database_url": Settings.read(database_url=f"sqlite:///{tmp_path / 'other.sqlite'}").database_url}
    )
    with pytest.raises(HomeError, match=r"in its journal\.sqlite"):
        open_journal(elsewhere)
    assert not (tmp_path / "other.sqlite").exists()
    opening.accept_loss(elsewhere)
    open_journal(elsewhere).dispose()
    opening.remember(elsewhere)
    opening.check(elsewhere)
    with pytest.raises(HomeLost, match="MODELWRIGHT_DATABASE_URL"):
        opening.check(settings)
    (tmp_path / "other.sqlite").write_bytes(b"")  # as a database that was created again
    with pytest.raises(JournalLost):
        open_journal(elsewhere)
    opening.accept_loss(elsewhere)
    open_journal(elsewhere).dispose()


def test_no_key_is_created_while_the_key_file_is_missing(settings: Settings, run: Run) -> None:
    keyring = open_keys(settings)
    (settings.home / "access" / "keys.json").unlink()
    for made in (lambda: keyring.create("bob", [Scope.ADMIN]), lambda: keyring.revoke("ann"), keyring.all):
        with pytest.raises(KeysCorrupt, match="gone"):
            made()
    result = run("keys", "create", "bob", "--scope", "admin", "--home", settings.home)
    assert result.status == 1 and "access/keys.json" in result.err and not result.out
    assert not (settings.home / "access" / "keys.json").exists()


def test_a_half_restored_home_does_not_start(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path)
    Home(tmp_path).record([], restoring=True)
    for start in (opening.check, opening.accept_loss, open_keys, open_journal):
        with pytest.raises(HomeHalfRestored, match="run it again"):
            start(settings)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_reports_a_missing_part_in_one_line(settings: Settings, workers: str) -> None:
    (settings.home / "access" / "keys.json").unlink()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELWRIGHT_")}
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(settings.home)]
    done = subprocess.run(  # noqa: S603 - our own
        [*command, "--workers", workers], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert "access/keys.json" in done.stderr and "--accept-loss" in done.stderr
