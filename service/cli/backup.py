"""The commands `modelwright backup` and `modelwright restore`. They use the home directly; services may run on it."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.keys import Home
from service.cli.printing import console

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the backup.")]
ON_A_DATABASE = (
    "The jobs are on a database of their own and not in this backup. With it belongs a dump made before it, such as "
    "pg_dump --format=custom --file=jobs.dump DATABASE; pg_restore --dbname=DATABASE jobs.dump brings it back. Both want "
    "an address that begins with postgresql:// and no +psycopg."
)


def backup(folder: Folder, home: Home = None) -> None:
    """Copy the home to a new folder, also while a service runs: journal, models, data sets, checkpoints, keys, audit log."""
    from service.backup import back_up
    from service.settings import Settings

    settings = Settings.read() if home is None else Settings.read(home=home)
    made = back_up(settings.home.resolve(), folder, database=settings.database_url is not None)
    console.print(f"Backed up {len(made.files)} files to {folder}.", markup=False, highlight=False, soft_wrap=True)
    if "database" in made.holds or settings.database_url is not None:
        console.print(ON_A_DATABASE, markup=False, highlight=False, soft_wrap=True)


def restore(folder: Folder, home: Home = None) -> None:
    """Restore a backup into a new home; an interrupted restore can be repeated."""
    from service.backup import restore as make
    from service.settings import Settings

    settings = Settings.read() if home is None else Settings.read(home=home)
    made = make(folder, settings.home.resolve())
    files = f"Restored {len(made.files)} files of {made.made_at} to {settings.home}."
    console.print(files, markup=False, highlight=False, soft_wrap=True)
    if "database" in made.holds:
        console.print(ON_A_DATABASE, markup=False, highlight=False, soft_wrap=True)
