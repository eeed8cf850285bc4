"""The commands `modelwright backup` and `modelwright restore`. They use the home directly; services may run on it."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import AsJson, Home, settings_of
from service.cli.printing import line, show

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the backup.")]
ON_A_DATABASE = (
    "The jobs are on a database of their own and not in this backup. With it belongs a dump made before it, such as "
    "pg_dump --format=custom --file=jobs.dump DATABASE; pg_restore --dbname=DATABASE jobs.dump brings it back. Both want "
    "an address that begins with postgresql:// and no +psycopg."
)
STORE_ELSEWHERE = (
    "A backup is restored with its store in the home. Unset MODELWRIGHT_STORE_URL and restore; then move the folder store "
    "to where it shall be, and set MODELWRIGHT_STORE_URL again."
)


IN_A_BUCKET = (
    "The models and data sets are in the bucket of MODELWRIGHT_STORE_URL and not in this backup. Protect them there, by the "
    "versioning of the bucket or by copies of it."
)


def backup(folder: Folder, as_json: AsJson = False, home: Home = None) -> None:
    """Copy the home to a new folder, also while a service runs: journal, models, data sets, checkpoints, keys, audit log."""
    from model_store.backends.schemes import local_folder
    from service.backup import back_up
    from service.opening import in_bucket, store_url

    settings = settings_of(home)
    store, bucket = local_folder(store_url(settings)), in_bucket(settings)
    database = settings.database_url is not None
    made = back_up(settings.home.resolve(), folder, database=database, store=store, bucket=bucket)
    elsewhere = _elsewhere(database or "database" in made.holds, bucket)
    if as_json:
        show({"backup": str(folder), "files": len(made.files), "elsewhere": elsewhere})
        return
    for each in (f"Backed up {len(made.files)} files to {folder}.", *elsewhere):
        line(each)


def restore(folder: Folder, as_json: AsJson = False, home: Home = None) -> None:
    """Restore a backup into a new home; an interrupted restore can be repeated."""
    from service.backup import BackupRefused
    from service.backup import restore as make
    from service.opening import in_bucket

    settings = settings_of(home)
    bucket = in_bucket(settings)
    if settings.store_url is not None and not bucket:
        raise BackupRefused(STORE_ELSEWHERE)
    made = make(folder, settings.home.resolve(), bucket=bucket)
    elsewhere = _elsewhere("database" in made.holds, bucket)
    if as_json:
        show({"home": str(settings.home), "files": len(made.files), "made_at": made.made_at, "elsewhere": elsewhere})
        return
    for each in (f"Restored {len(made.files)} files of {made.made_at} to {settings.home}.", *elsewhere):
        line(each)


def _elsewhere(database: bool, bucket: bool) -> list[str]:
    """What belongs to the home and is not in a backup of it."""
    return [text for text, is_there in ((ON_A_DATABASE, database), (IN_A_BUCKET, bucket)) if is_there]
