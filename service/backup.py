"""Backups of a home, made while it is in use, and restores of them.

The order of the steps makes a backup consistent, whatever changes meanwhile:

| step | what | why then |
|---|---|---|
| 1 | checkpoints | none is ahead of the journal's epochs |
| 2 | the journal, by SQLite's online backup | a job that has succeeded there has published its version before |
| 3 | the store, each name as it was at one moment | what the journal names exists there, or was deleted since |
| 4 | keys | a key that was revoked meanwhile stays revoked |
| 5 | the audit log | every change so far has its line |
| 6 | `backup.json`, with the digests of all files | a backup without it is incomplete |

Temporary files, plots, exports and the list of running services are left out.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_store.checked_file import describe_file
from model_store.clock import rfc3339, utc_now
from model_store.copying import copy_store
from model_store.durable_files import replace, sync
from model_store.errors import MadeByNewer
from model_store.sealed import seal, unseal
from service.home import FILE, IN_STORE, JOURNAL, Home, HomeDamaged, HomeError, HomeHalfRestored, HomeLost
from service.jobs.database import copy_sqlite

MANIFEST = "backup.json"
ELSEWHERE = {"database", "admin_key"}  # recorded for a home, but stored outside of it
PRIVATE = {"access", "audit"}  # folders with permissions for their owner only


class BackupRefused(HomeError):
    """This cannot be backed up or restored."""


@dataclass(frozen=True)
class Backup:
    """The manifest of a backup: when it was made (RFC 3339), what its home has held, and for each file its `sha256` (hex) and
    `bytes`."""

    made_at: str
    holds: frozenset[str]
    files: Mapping[str, Mapping[str, str | int]]


def back_up(home: Path, folder: Path, *, database: bool, store: Path | None = None, bucket: bool = False) -> Backup:
    """Copies the home to a folder that is empty or not there.

    Args:
        home: the home; services may run on it.
        folder: the folder of the backup.
        database: whether the jobs are on a database server, which is backed up by its own tools.
        store: the folder of the model store, where it is not in the home.
        bucket: whether the store is in a bucket, which is not backed up here.

    Raises:
        BackupRefused: the folder is not empty.
        HomeError: something is missing from the home, which a backup must not hide.
        StoreError, JournalNotOpened, OSError: it could not be read or written; there is no `backup.json` then.
    """
    known = Home(home, store)
    held = (known.held() | known.present()) - (IN_STORE if bucket else frozenset())
    database = database or "database" in held
    if not held:
        raise BackupRefused(f"There is nothing in {home} to back up.")
    if lost := held - known.present() - ELSEWHERE - ({"journal"} if database else set()):
        raise HomeLost(home, lost)
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty. Give a folder of its own to each backup.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _copy_all(home, folder, "checkpoints", "*/*.safetensors")
    if not database and "journal" in held:
        copy_sqlite(home / JOURNAL, folder / JOURNAL)
    if not bucket:
        copy_store(store or home / "store", folder / "store")
        shutil.rmtree(folder / "store" / "tmp", ignore_errors=True)
    _copy_all(home, folder, "access", "keys.json")
    _copy_all(home, folder, "audit", "*.jsonl")
    files = {str(path.relative_to(folder)): describe_file(path) for path in folder.rglob("*") if path.is_file()}
    made = Backup(rfc3339(utc_now()), held - {"journal"} if database else held, files)
    _sync_all(folder)  # every file is durable before the manifest that lists it
    about = {"made_at": made.made_at, "holds": sorted(made.holds), "files": files}
    replace(folder / MANIFEST, seal(MANIFEST, about))
    return made


def restore(folder: Path, home: Path, *, bucket: bool = False) -> Backup:
    """Restores a backup into a new home. An interrupted restore can be repeated; until then no service starts on the home.

    Args:
        folder: the folder of the backup.
        home: the new home.
        bucket: whether the store of the settings is in a bucket.

    Raises:
        BackupRefused: the backup is incomplete or damaged, or the home is not empty; or it has a store although the settings
            have one in a bucket.
        OSError: it could not be read or written.
    """
    backup = read_backup(folder)
    if bucket and any(file.startswith("store/") for file in backup.files):
        raise BackupRefused(
            "This backup has a model store, and MODELWRIGHT_STORE_URL names a bucket. Unset it and restore; then copy the folder "
            "store of the home to a new prefix of the bucket, and set MODELWRIGHT_STORE_URL again."
        )
    _check_empty(home)
    known = Home(home)
    known.record([], restoring=True)
    for path in home.iterdir():
        if path.name != FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for file in backup.files:
        _copy(folder / file, home / file)
        if describe_file(home / file) != backup.files[file]:
            raise BackupRefused(f"{file} was not copied as it is in the backup; the disk may be bad.")
    _sync_all(home)
    known.record(known.present() | (backup.holds & ELSEWHERE))
    return backup


def read_backup(folder: Path) -> Backup:
    """The manifest of a backup, after checking every file against it. Raises BackupRefused, OSError."""
    try:
        fields, sealed = unseal(MANIFEST, (folder / MANIFEST).read_bytes())
        if not sealed:
            raise ValueError("not sealed")
        backup = Backup(fields["made_at"], frozenset(fields["holds"]), fields["files"])
    except FileNotFoundError:
        raise BackupRefused(f"{folder} is no complete backup: there is no {MANIFEST}, which is written last.") from None
    except MadeByNewer as error:
        raise BackupRefused(str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupRefused(f"{folder} is no complete backup: {MANIFEST} is damaged.") from error
    for file, expected in backup.files.items():
        path = folder / file
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise BackupRefused(f"{folder} is no backup of ours: it names files that are not in it.")
        if not path.is_file() or path.stat().st_size != expected["bytes"] or describe_file(path) != expected:
            raise BackupRefused(f"{folder} is no complete backup: {file} is damaged or missing.")
    return backup


def _check_empty(home: Path) -> None:
    try:
        Home(home).held()
    except HomeHalfRestored:
        return
    except HomeDamaged:
        pass
    if home.exists() and any(path.name != "home.new" for path in home.iterdir()):
        raise BackupRefused(f"There is something in {home} already. A backup is restored into a new home.")


def _copy_all(home: Path, folder: Path, place: str, pattern: str) -> None:
    for path in sorted((home / place).glob(pattern)):
        try:
            _copy(path, folder / path.relative_to(home))
        except FileNotFoundError:
            (folder / path.relative_to(home)).unlink(missing_ok=True)  # its job has ended, or its day is over


def _copy(source: Path, target: Path) -> None:
    if not target.parent.is_dir():
        private = target.parent.name in PRIVATE
        target.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def _sync_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        sync(path)
