"""Operations on a whole home: the record of its parts, backup, and restore."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_store import Store
from model_store.errors import StoreError
from service.access.audit import Audit
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.backup import BackupRefused, back_up, read_backup, restore
from service.home import Home, HomeError, HomeHalfRestored
from service.jobs.database import open_database
from service.jobs.errors import JobsError
from service.jobs.journal import Journal
from tests.faults.crash_points import journal_operations, store_operations
from tests.faults.crash_points.operation import Kind, Operation
from tests.model_store.source_files import source_files

REFUSALS = (HomeError, JobsError, StoreError, OSError)

# The record of the parts of a home


def held(home: Path) -> Any:
    """The recorded parts."""
    return sorted(Home(home).held())


def faulty_record(home: Path) -> list[str]:
    """A damaged record, and what the next start reports; the next write removes `home.new`."""
    Home(home).remember()
    found = [] if Home(home).present() <= Home(home).held() else ["what is there is not recorded by the next start"]
    marked = [each for each in ("store", "access", "audit") if not (home / each / ".home").exists()]
    return found + [f"no marker in {each}" for each in marked]


def prepare_record(home: Path) -> None:
    """The folders of a home, with no record."""
    home.mkdir(parents=True)
    Store.open(home / "store")
    Keyring(home / "access").create("one", [Scope.ADMIN])
    Audit(home / "audit").append_command("key.created", "one")


def prepare_more(home: Path) -> None:
    """A home with more parts than are recorded."""
    prepare_record(home)
    Home(home).remember()
    files = source_files(home, {"weights": b"w"})
    Store.open(home / "store").models.publish("line", store_operations.MANIFEST, files)


def remember(home: Path) -> Iterator[None]:
    """Updates the record, as each start does, and a running service every ten minutes."""
    known = Home(home)
    yield
    known.remember("admin_key")


# Backups


def prepare_home(home: Path) -> None:
    """A small home with data of every kind."""
    own = home / "home"
    prepare_more(own)
    engine = open_database(journal_operations.url(own))
    job = Journal(engine).submit("line", journal_operations.SPEC, {})[0]
    engine.dispose()
    checkpoint = own / "checkpoints" / job.id / f"00000001-{'0' * 64}.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"a state")
    Home(own).remember()


def prepare_backup(home: Path) -> None:
    """A home and a backup of it."""
    prepare_home(home)
    back_up(home / "home", home / "backup", database=False)


def copy(home: Path) -> Iterator[None]:
    """Backs up to a new folder each time."""
    shutil.rmtree(home / "backup", ignore_errors=True)
    yield
    back_up(home / "home", home / "backup", database=False)


def bring_back(home: Path) -> Iterator[None]:
    """Restores into a new home, or into one with an unfinished restore."""
    yield
    restore(home / "backup", home / "again")


def backup_of(home: Path) -> Any:
    """The content of the backup if it is complete."""
    try:
        found = read_backup(home / "backup")
    except BackupRefused:
        return None
    return [sorted(found.files), sorted(found.holds), *_content(home / "backup")]


def faulty_home(home: Path) -> list[str]:
    """Damage in the home that was backed up."""
    return [*_faults(home / "home"), *faulty_record(home / "home")]


def home_again(home: Path) -> Any:
    """The content of the new home; nothing while no service starts on it."""
    again = home / "again"
    try:
        return [*_content(again), held(again)] if Home(again).held() else None
    except HomeHalfRestored:
        return None


def faulty_again(home: Path) -> list[str]:
    """Files in a home without a record, and damage in a complete one."""
    again = home / "again"
    try:
        if Home(again).held():
            return [*_faults(again), *faulty_record(again)]
    except HomeHalfRestored:
        return []
    return [f"left: {path.name}" for path in again.glob("*") if path.name != "home.new"]


def _content(home: Path) -> list[Any]:
    return [journal_operations.state(home), store_operations.state(home), [key.name for key in _keys(home)]]


def _keys(home: Path) -> Any:
    return Keyring(home / "access").all()


def _faults(home: Path) -> list[str]:
    return [*journal_operations.damages(home), *(str(each) for each in Store.open(home / "store").verify())]


RECORD = Kind(held, faulty_record, REFUSALS)
ALL = [
    Operation("record what a home holds", RECORD, remember, prepare_record),
    Operation("record more of what a home holds", RECORD, remember, prepare_more),
    Operation("back up", Kind(backup_of, faulty_home, REFUSALS), copy, prepare_home),
    Operation("restore", Kind(home_again, faulty_again, REFUSALS), bring_back, prepare_backup, ended=(BackupRefused,)),
]
