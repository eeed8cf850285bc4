"""Backups of a service in use, and services on restored homes."""

import contextlib
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_store import Store
from modelwright import ApiError, Client
from service import opening
from service.access.scopes import Scope
from service.background.training_service import open_journal
from service.backup import restore
from service.jobs.database import connect_database
from service.jobs.job import Status
from service.jobs.journal import Journal
from service.jobs.verification import integrity, verify
from service.keys import open_keys
from service.settings import Settings
from tests.harness.line import line
from tests.harness.server import ROOT, Server
from tests.harness.until import until

BACKUPS = int(os.environ.get("BACKUPS", "1"))


@contextlib.contextmanager
def in_use(server: Server, bundle: Path) -> Iterator[None]:
    """Trains, imports, moves aliases and deletes meanwhile."""
    enough, numbers = threading.Event(), itertools.count(1)

    def use(act: int) -> None:
        with Client(server.url, transport=httpx.HTTPTransport()) as client:
            while not enough.is_set():
                with contextlib.suppress(ApiError):  # another thread was faster
                    step(client, act, next(numbers))

    def step(client: Client, act: int, number: int) -> None:
        match act:
            case 0:
                client.wait(client.train(line(number % 50, name="saved"))["id"])
            case 1:
                name = f"taken-{number % 3}"
                client.upload_bundle(name, bundle)
                client.set_alias(name, "production", client.model(name)["latest"])
            case 2:
                client.delete_model(f"taken-{number % 3}")
            case _:
                versions = [version["version"] for version in client.versions("saved")]
                client.set_alias("saved", "production", max(versions))
                for old in versions[3:]:
                    client.delete_version("saved", old)

    threads = [threading.Thread(target=use, args=(act,)) for act in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def check(home: Path) -> None:
    """Everything is undamaged, and the journal and the store agree."""
    store = Store.open(home / "store")
    report = store.examine()
    assert ([str(each) for each in report.damages], report.leftovers) == ([], 0)
    engine = connect_database(f"sqlite:///{home / 'journal.sqlite'}", known=True)
    assert [*integrity(engine), *verify(engine)] == []
    after: str | None = None
    while True:
        jobs, more = Journal(engine).list_jobs(status=Status.SUCCEEDED, after=after, limit=100)
        for job in jobs:
            assert job.result is not None
            name, number = job.result["model_name"], job.result["version"]
            assert store.models.has(name, number) or store.models.records(name).uses(number).last().deleted
        if not more:
            break
        after = jobs[-1].id
    engine.dispose()


def test_backups_of_a_service_in_use_make_whole_homes(server: Server, tmp_path: Path) -> None:
    first = server.client.wait(server.client.train(line(1, name="kept"))["id"])
    bundle = server.client.download_bundle("kept", first["result"]["version"], tmp_path / "saved.zip")
    answer = server.client.predict("kept", [[0.5]], version="1")
    paused = server.client.train(line(10_000_000, name="paused"))["id"]
    until(lambda: server.client.job(paused)["progress"])
    server.client.pause(paused)
    until(lambda: server.client.job(paused)["status"] == "paused")
    with in_use(server, bundle):
        for number in range(BACKUPS):
            command = [sys.executable, "-m", "service", "backup", str(tmp_path / f"backup-{number}")]
            done = subprocess.run(  # noqa: S603 - our own
                [*command, "--home", str(server.home)], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
    server.client.cancel(paused)
    for number in range(BACKUPS):
        restore(tmp_path / f"backup-{number}", tmp_path / f"home-{number}")
        check(tmp_path / f"home-{number}")
    with Server(tmp_path / f"home-{BACKUPS - 1}", slots=1) as again:
        assert again.client.job(first["id"]) == first
        assert again.client.predict("kept", [[0.5]], version="1") == answer
        assert again.client.job(paused)["status"] == "paused"
        saved = again.client.job(paused)["progress"]["epoch"]
        again.client.resume(paused)
        until(lambda: again.client.job(paused)["progress"]["epoch"] > saved)
        again.client.cancel(paused)
        assert "continues after epoch" in str(list(again.client.events(paused)))  # from the checkpoint
        assert again.stop() == 0


def test_an_accepted_loss_starts_all_workers_and_does_not_disable_authentication(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", "signs what is sent to others"
    settings = Settings.read(home=home)
    open_journal(settings).dispose()
    open_keys(settings).create("ann", [Scope.ADMIN])
    opening.remember(settings)
    for lost in ("access/keys.json", "journal.sqlite"):
        (home / lost).unlink()
    others = {"AWS_SECRET_ACCESS_KEY": secret, "AZURE_STORAGE_ACCOUNT_KEY": secret, "GOOGLE_BEARER_TOKEN": secret}
    with Server(home, options=("--accept-loss",), workers=2, webhook_secret=secret, environment=others) as server:
        assert server.log().count("mw_") == 1  # a first key: authentication is enabled
        with pytest.raises(ApiError) as caught:
            list(server.client.jobs())
        assert caught.value.status == 401
        for pid in server.children():  # the processes have no secrets in their environment
            with contextlib.suppress(PermissionError):
                assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        server.kill()
    assert opening.check(settings) >= {"keys", "journal", "store"}
