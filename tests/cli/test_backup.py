"""Backups and restores of a home with no service running; those under load are in tests/story/test_backups.py."""

import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_store import Store
from model_store.sealed import seal
from service import opening
from service.access.audit import Audit
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.background.training_service import open_journal
from service.backup import BackupRefused, back_up, read_backup, restore
from service.home import HomeHalfRestored, HomeLost
from service.jobs.database import connect_database, open_database
from service.jobs.journal import Journal
from service.keys import open_keys
from service.settings import Settings
from tests.cli.conftest import Run

if TYPE_CHECKING:
    from tests.postgres import Postgres


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with data of every kind, which no test changes."""
    folder = tmp_path_factory.mktemp("backups")
    settings = Settings.read(home=folder / "home")
    engine = open_journal(settings)
    job = Journal(engine).submit("line", {"model_name": "line"}, {})[0]
    store = Store.open(settings.home / "store")
    for collection in (store.models, store.datasets):
        for number in range(2):
            (folder / "file").write_text(f"{collection.prefix} {number}")
            collection.publish("line", {"format": 1}, {"file": folder / "file"})
    store.aliases.set("line", "production", 1)
    open_keys(settings).create("ann", [Scope.ADMIN])
    Audit(settings.home / "audit").append_command("key.created", "ann")
    checkpoint = settings.home / "checkpoints" / job.id / f"00000001-{'0' * 64}.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"a state")
    for derived in ("tmp", "cache/plots", "owners"):
        (settings.home / derived).mkdir(parents=True, exist_ok=True)
        (settings.home / derived / "derived").touch()
    opening.remember(settings)
    yield settings.home  # the journal stays open: its last writes are only in its write-ahead log
    engine.dispose()


@pytest.fixture(scope="module")
def backup(home: Path) -> Path:
    """A complete backup, which no test changes."""
    back_up(home, home.with_name("backup"), database=False)
    return home.with_name("backup")


def test_a_restore_brings_everything_back(run: Run, home: Path, tmp_path: Path) -> None:
    folder, again = tmp_path / "backup", tmp_path / "again"
    made = run("backup", folder, "--home", home)
    assert made.status == 0 and made.out.startswith("Backed up ")
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(folder.rglob("derived")) and not list(folder.rglob("*.new"))
    restored = run("restore", folder, "--home", again)
    assert restored.status == 0 and restored.out.startswith("Restored ")
    assert run("store", "verify", "--home", again).out == "No damage found.\n"
    assert run("journal", "verify", "--home", again).out == "No damage found.\n"
    settings = Settings.read(home=again)
    assert opening.check(settings) == opening.check(Settings.read(home=home))
    engine = open_journal(settings)
    (job,), _ = Journal(engine).list_jobs()
    engine.dispose()
    assert next((again / "checkpoints" / job.id).iterdir()).read_bytes() == b"a state"
    store = Store.open(again / "store")
    assert store.resolve("line", "production").number == 1 and store.datasets.numbers("line") == [1, 2]
    assert [key.name for key in Keyring(again / "access").all()] == ["ann"]
    assert Audit(again / "audit").read(None, 10) == Audit(home / "audit").read(None, 10)
    for private in (again / "access", again / "access" / "keys.json", again / "audit"):
        assert private.stat().st_mode & 0o077 == 0


def test_folders_that_are_not_empty_are_refused(run: Run, home: Path, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    result = run("backup", tmp_path, "--home", home)
    assert result.status == 1 and "is not empty" in result.err
    result = run("restore", backup, "--home", tmp_path)
    assert result.status == 1 and "something in" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_or_incomplete_home_is_not_backed_up(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nothing"):
        back_up(tmp_path / "none", tmp_path / "backup", database=False)
    shutil.copytree(home, tmp_path / "home")
    (tmp_path / "home" / "access" / "keys.json").unlink()
    with pytest.raises(HomeLost, match="keys"):
        back_up(tmp_path / "home", tmp_path / "backup", database=False)
    assert not (tmp_path / "backup").exists()


def damaged_backups(folder: Path) -> Iterator[str]:
    """Damages a backup in one way after another, and yields the name of each."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.stat().st_size):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        yield f"flipped {path.name}"
        path.write_bytes(data[:-1])
        yield f"cut {path.name}"
        path.unlink()
        yield f"lost {path.name}"
        path.write_bytes(data)


def test_an_incomplete_or_damaged_backup_is_not_restored(backup: Path, tmp_path: Path) -> None:
    shutil.copytree(backup, tmp_path / "backup")
    count = 0
    for how in damaged_backups(tmp_path / "backup"):
        with pytest.raises(BackupRefused, match="no complete backup"):
            restore(tmp_path / "backup", tmp_path / "home")
        assert not (tmp_path / "home").exists(), how
        count += 1
    assert count > 30
    assert restore(tmp_path / "backup", tmp_path / "home").files


def test_a_restore_writes_no_file_outside_its_home(backup: Path, tmp_path: Path) -> None:
    shutil.copytree(backup, tmp_path / "backup")
    (tmp_path / "evil").write_text("evil")
    described = json.loads((backup / "backup.json").read_bytes())
    fields = {name: described[name] for name in ("made_at", "holds")}
    fields["files"] = {"../evil": {"bytes": 4, "sha256": "0" * 64}}
    (tmp_path / "backup" / "backup.json").write_bytes(seal("backup.json", fields))
    with pytest.raises(BackupRefused, match="not in it"):
        restore(tmp_path / "backup", tmp_path / "homes" / "home")


def killed_at(event: int, act: Callable[..., object], *arguments: object) -> bool:
    """Whether a process that runs `act` was killed at its n-th copy or rename; else it has finished."""

    def child() -> None:
        left = event

        def count(name: str, _: object) -> None:
            nonlocal left
            if name in ("shutil.copyfile", "os.rename", "sqlite3.connect"):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        act(*arguments)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_a_home_of_a_killed_restore_does_not_start_and_can_be_restored_again(backup: Path, tmp_path: Path) -> None:
    event, refused = 1, 0
    while killed_at(event, restore, backup, home := tmp_path / f"home-{event}"):
        settings = Settings.read(home=home)
        if len(list(home.iterdir())) > 1:
            with pytest.raises(HomeHalfRestored):
                opening.check(settings)
            refused += 1
        restore(backup, home)
        assert opening.check(settings) >= {"keys", "journal", "store", "models", "datasets", "audit"}
        files = read_backup(backup).files
        assert {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()} - files.keys() == {
            *("home.json", "store/.home", "access/.home", "audit/.home")
        }
        event += 3
    assert refused > 5


def test_a_killed_backup_is_not_a_backup(home: Path, tmp_path: Path) -> None:
    event = 1
    while killed_at(event, partial(back_up, database=False), home, folder := tmp_path / f"backup-{event}"):
        with pytest.raises(BackupRefused, match="no complete backup"):
            restore(folder, tmp_path / "home")
        with pytest.raises(BackupRefused, match="not empty"):
            back_up(home, folder, database=False)
        event += 4
    assert event > 20
    restore(folder, tmp_path / "home")


def test_a_backup_leaves_a_database_server_to_its_own_tools(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "home")
    for journal in (tmp_path / "home").glob("journal.sqlite*"):
        journal.unlink()
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    monkeypatch.setenv("MODELWRIGHT_DATABASE_URL", url)
    settings = Settings.read(home=tmp_path / "home")
    opening.accept_loss(settings)
    open_journal(settings).dispose()
    opening.remember(settings)
    result = run("backup", tmp_path / "backup", "--home", tmp_path / "home")
    assert result.status == 0 and "pg_dump" in result.out
    assert not (tmp_path / "backup" / "journal.sqlite").exists()
    result = run("restore", tmp_path / "backup", "--home", tmp_path / "again")
    assert result.status == 0 and "pg_restore" in result.out
    opening.check(Settings.read(home=tmp_path / "again"))
    monkeypatch.delenv("MODELWRIGHT_DATABASE_URL")
    with pytest.raises(HomeLost, match="MODELWRIGHT_DATABASE_URL"):
        opening.check(Settings.read(home=tmp_path / "again"))


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="needs the client programs of PostgreSQL")
def test_the_suggested_commands_restore_the_jobs(
    run: Run, home: Path, postgres: "Postgres", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.database() as url, postgres.database(migrated=False) as empty:
        engine = open_database(url)
        journal = Journal(engine)
        jobs = [journal.submit("line", {"model_name": "line"}, {}, idempotency=(name, "d"))[0] for name in "ab"]
        monkeypatch.setenv("MODELWRIGHT_DATABASE_URL", url)
        result = run("backup", tmp_path / "backup", "--home", home).out
        dump, bring_back = re.findall(r"pg_\w+ --.+?(?=;| brings)", " ".join(result.split()))
        for command, address in ((dump, url), (bring_back, empty)):
            words = shlex.split(command.replace("DATABASE", shlex.quote(address)))
            subprocess.run(words, cwd=tmp_path, check=True)  # noqa: S603 - the commands that it suggests
        other = open_database(empty, known=True)
        again = Journal(other)
        assert again.list_jobs()[0] == journal.list_jobs()[0] == jobs[::-1]
        assert again.submit("line", {"model_name": "line"}, {}, idempotency=("a", "d")) == (jobs[0], False)
        assert again.submit("line", {}, {})[1]  # the sequence of ids continues
        for each in (engine, other):
            each.dispose()


def test_a_damaged_row_is_named(run: Run, backup: Path, tmp_path: Path) -> None:
    restore(backup, tmp_path / "home")
    engine = connect_database(f"sqlite:///{tmp_path / 'home' / 'journal.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET priority = 9")
        job = connection.exec_driver_sql("SELECT id FROM jobs").scalar()
    engine.dispose()
    result = run("journal", "verify", "--home", tmp_path / "home")
    assert result.status == 1 and f"job {job}" in result.out and "damaged" in result.out
    result = run("journal", "verify", "--json", "--home", tmp_path / "home")
    assert result.status == 1 and json.loads(result.out) == {"table": "jobs", "key": f"job {job}", "problem": "damaged"}
    result = run("journal", "verify", "--home", tmp_path / "nothing")
    assert result.status == 1 and not (tmp_path / "nothing").exists()
